import { initSync } from "./reslab-89c0e39d19fa8bb6.js";
let sharedImports = undefined;
function getSharedImports() {
if (sharedImports === undefined) {
sharedImports = { __wasm_split: {  } };
const { gk: __indirect_function_table, fk: __wasm_split_shared0, hk: memory, } = initSync(undefined, undefined);
Object.assign(sharedImports.__wasm_split, { __indirect_function_table, __wasm_split_shared0, memory,  });
}
return sharedImports;
}
function wrapAsyncCb(callee) {
return async (callbackIndex, callbackData) => {
let success;
try {
await callee();
success = true;
} catch (e) {
console.error(e);
success = false;
} finally {
const sharedImports = getSharedImports();
sharedImports.__wasm_split.__indirect_function_table.get(callbackIndex)(callbackData, success);
}
}
}
function makeLoad(fetcher, deps) {
const loader = async () => {
const parallelStuff = deps.map(d => d());
const instantiate = fetcher();
await Promise.all(parallelStuff);
const imports = getSharedImports();
return instantiate(imports);
};
let loadingModule = undefined;
return () => {
if (loadingModule === undefined) {
const thisLoad = loader();
thisLoad.catch(() => {
if (loadingModule === thisLoad) loadingModule = undefined;
});
loadingModule = thisLoad;
}
return loadingModule;
}
}
const __chunk_9 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_10 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-export-files-keras-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_11 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-export-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_12 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-files-keras-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_13 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-files-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_14 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-files-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_15 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-files-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_16 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_17 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-pictures-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_18 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_19 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_20 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-camera-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_21 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-export-pictures-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_22 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-export-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_23 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-files-keras-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_24 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-files-keras-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_25 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-files-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_26 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-files-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_27 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-keras-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_28 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-keras-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_29 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-pictures-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_30 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-pictures-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_31 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_32 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_33 = makeLoad(() => {
const src = fetch(new URL("./part-benchmark-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_34 = makeLoad(() => {
const src = fetch(new URL("./part-camera-files-keras-pictures-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_35 = makeLoad(() => {
const src = fetch(new URL("./part-camera-files-keras-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_36 = makeLoad(() => {
const src = fetch(new URL("./part-camera-files-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_37 = makeLoad(() => {
const src = fetch(new URL("./part-camera-files-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_38 = makeLoad(() => {
const src = fetch(new URL("./part-camera-files-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_39 = makeLoad(() => {
const src = fetch(new URL("./part-camera-pictures-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_40 = makeLoad(() => {
const src = fetch(new URL("./part-camera-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_41 = makeLoad(() => {
const src = fetch(new URL("./part-camera-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_42 = makeLoad(() => {
const src = fetch(new URL("./part-camera-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_43 = makeLoad(() => {
const src = fetch(new URL("./part-export-files-keras-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_44 = makeLoad(() => {
const src = fetch(new URL("./part-export-files-keras-pictures-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_45 = makeLoad(() => {
const src = fetch(new URL("./part-export-files-keras-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_46 = makeLoad(() => {
const src = fetch(new URL("./part-export-files-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_47 = makeLoad(() => {
const src = fetch(new URL("./part-export-files-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_48 = makeLoad(() => {
const src = fetch(new URL("./part-export-files-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_49 = makeLoad(() => {
const src = fetch(new URL("./part-export-keras-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_50 = makeLoad(() => {
const src = fetch(new URL("./part-export-pictures-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_51 = makeLoad(() => {
const src = fetch(new URL("./part-export-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_52 = makeLoad(() => {
const src = fetch(new URL("./part-export-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_53 = makeLoad(() => {
const src = fetch(new URL("./part-export-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_54 = makeLoad(() => {
const src = fetch(new URL("./part-files-keras-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_55 = makeLoad(() => {
const src = fetch(new URL("./part-files-keras-pictures-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_56 = makeLoad(() => {
const src = fetch(new URL("./part-files-keras-pictures-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_57 = makeLoad(() => {
const src = fetch(new URL("./part-files-keras-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_58 = makeLoad(() => {
const src = fetch(new URL("./part-files-keras-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_59 = makeLoad(() => {
const src = fetch(new URL("./part-files-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_60 = makeLoad(() => {
const src = fetch(new URL("./part-files-pictures-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_61 = makeLoad(() => {
const src = fetch(new URL("./part-files-pictures-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_62 = makeLoad(() => {
const src = fetch(new URL("./part-files-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_63 = makeLoad(() => {
const src = fetch(new URL("./part-files-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_64 = makeLoad(() => {
const src = fetch(new URL("./part-files-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_65 = makeLoad(() => {
const src = fetch(new URL("./part-keras-pictures-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_66 = makeLoad(() => {
const src = fetch(new URL("./part-keras-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_67 = makeLoad(() => {
const src = fetch(new URL("./part-keras-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_68 = makeLoad(() => {
const src = fetch(new URL("./part-keras-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_69 = makeLoad(() => {
const src = fetch(new URL("./part-pictures-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_70 = makeLoad(() => {
const src = fetch(new URL("./part-pictures-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_71 = makeLoad(() => {
const src = fetch(new URL("./part-pictures-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
const __chunk_72 = makeLoad(() => {
const src = fetch(new URL("./part-studio-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, []);
export const __wasm_split_load_training = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-training-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_10, __chunk_11, __chunk_12, __chunk_13, __chunk_14, __chunk_15, __chunk_16, __chunk_17, __chunk_19, __chunk_20, __chunk_21, __chunk_25, __chunk_26, __chunk_30, __chunk_32, __chunk_33, __chunk_36, __chunk_38, __chunk_41, __chunk_42, __chunk_44, __chunk_45, __chunk_46, __chunk_48, __chunk_52, __chunk_53, __chunk_58, __chunk_59, __chunk_63, __chunk_64, __chunk_67, __chunk_68, __chunk_70, __chunk_71, __chunk_72]));
export const __wasm_split_load_studio = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-studio-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_10, __chunk_12, __chunk_14, __chunk_18, __chunk_19, __chunk_22, __chunk_24, __chunk_26, __chunk_28, __chunk_29, __chunk_31, __chunk_32, __chunk_34, __chunk_35, __chunk_37, __chunk_38, __chunk_39, __chunk_40, __chunk_41, __chunk_44, __chunk_45, __chunk_47, __chunk_48, __chunk_49, __chunk_51, __chunk_52, __chunk_56, __chunk_57, __chunk_58, __chunk_61, __chunk_62, __chunk_63, __chunk_66, __chunk_67, __chunk_69, __chunk_70, __chunk_72]));
export const __wasm_split_load_pictures = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-pictures-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_17, __chunk_21, __chunk_29, __chunk_30, __chunk_34, __chunk_39, __chunk_44, __chunk_50, __chunk_55, __chunk_56, __chunk_60, __chunk_61, __chunk_65, __chunk_69, __chunk_70, __chunk_71]));
export const __wasm_split_load_keras = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-keras-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_10, __chunk_12, __chunk_13, __chunk_16, __chunk_23, __chunk_24, __chunk_25, __chunk_27, __chunk_28, __chunk_34, __chunk_35, __chunk_36, __chunk_43, __chunk_44, __chunk_45, __chunk_46, __chunk_49, __chunk_54, __chunk_55, __chunk_56, __chunk_57, __chunk_58, __chunk_59, __chunk_65, __chunk_66, __chunk_67, __chunk_68]));
export const __wasm_split_load_files = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-files-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_10, __chunk_12, __chunk_13, __chunk_14, __chunk_15, __chunk_23, __chunk_24, __chunk_25, __chunk_26, __chunk_34, __chunk_35, __chunk_36, __chunk_37, __chunk_38, __chunk_43, __chunk_44, __chunk_45, __chunk_46, __chunk_47, __chunk_48, __chunk_54, __chunk_55, __chunk_56, __chunk_57, __chunk_58, __chunk_59, __chunk_60, __chunk_61, __chunk_62, __chunk_63, __chunk_64]));
export const __wasm_split_load_export = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-export-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_10, __chunk_11, __chunk_21, __chunk_22, __chunk_43, __chunk_44, __chunk_45, __chunk_46, __chunk_47, __chunk_48, __chunk_49, __chunk_50, __chunk_51, __chunk_52, __chunk_53]));
export const __wasm_split_load_camera = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-camera-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_9, __chunk_10, __chunk_11, __chunk_12, __chunk_13, __chunk_14, __chunk_15, __chunk_16, __chunk_17, __chunk_18, __chunk_19, __chunk_20, __chunk_34, __chunk_35, __chunk_36, __chunk_37, __chunk_38, __chunk_39, __chunk_40, __chunk_41, __chunk_42]));
export const __wasm_split_load_benchmark = wrapAsyncCb(makeLoad(() => {
const src = fetch(new URL("./part-benchmark-89c0e39d19fa8bb6.wasm", import.meta.url));
src.catch(() => {});
return async (imports) => (instantiate(src, imports));
}
, [__chunk_9, __chunk_10, __chunk_11, __chunk_12, __chunk_13, __chunk_14, __chunk_15, __chunk_16, __chunk_17, __chunk_18, __chunk_19, __chunk_20, __chunk_21, __chunk_22, __chunk_23, __chunk_24, __chunk_25, __chunk_26, __chunk_27, __chunk_28, __chunk_29, __chunk_30, __chunk_31, __chunk_32, __chunk_33]));
async function instantiate(source, imports) {
const answer = await source;
if (!answer.ok) throw new Error(`${answer.url}: status ${answer.status}`);
return WebAssembly.instantiate(await answer.arrayBuffer(), imports);
}
