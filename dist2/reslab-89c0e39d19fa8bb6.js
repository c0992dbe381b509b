import * as import1 from "./parts-89c0e39d19fa8bb6.js"
import * as import2 from "./parts-89c0e39d19fa8bb6.js"
import * as import3 from "./parts-89c0e39d19fa8bb6.js"
import * as import4 from "./parts-89c0e39d19fa8bb6.js"
import * as import5 from "./parts-89c0e39d19fa8bb6.js"
import * as import6 from "./parts-89c0e39d19fa8bb6.js"
import * as import7 from "./parts-89c0e39d19fa8bb6.js"
import * as import8 from "./parts-89c0e39d19fa8bb6.js"
export class IntoUnderlyingByteSource {
__destroy_into_raw() {
const ptr = this.__wbg_ptr;
this.__wbg_ptr = 0;
IntoUnderlyingByteSourceFinalization.unregister(this);
return ptr;
}
free() {
const ptr = this.__destroy_into_raw();
wasm.Qj(ptr, 0);
}
get autoAllocateChunkSize() {
const ret = wasm.Tj(this.__wbg_ptr);
return ret >>> 0;
}
cancel() {
const ptr = this.__destroy_into_raw();
wasm.Uj(ptr);
}
pull(controller) {
const ret = wasm.Vj(this.__wbg_ptr, controller);
return ret;
}
start(controller) {
wasm.Wj(this.__wbg_ptr, controller);
}
get type() {
const ret = wasm.Xj(this.__wbg_ptr);
return __wbindgen_enum_ReadableStreamType[ret];
}
}
if (Symbol.dispose) IntoUnderlyingByteSource.prototype[Symbol.dispose] = IntoUnderlyingByteSource.prototype.free;
export class IntoUnderlyingSink {
__destroy_into_raw() {
const ptr = this.__wbg_ptr;
this.__wbg_ptr = 0;
IntoUnderlyingSinkFinalization.unregister(this);
return ptr;
}
free() {
const ptr = this.__destroy_into_raw();
wasm.Rj(ptr, 0);
}
abort(reason) {
const ptr = this.__destroy_into_raw();
const ret = wasm.Yj(ptr, reason);
return ret;
}
close() {
const ptr = this.__destroy_into_raw();
const ret = wasm.Zj(ptr);
return ret;
}
write(chunk) {
const ret = wasm._j(this.__wbg_ptr, chunk);
return ret;
}
}
if (Symbol.dispose) IntoUnderlyingSink.prototype[Symbol.dispose] = IntoUnderlyingSink.prototype.free;
export class IntoUnderlyingSource {
__destroy_into_raw() {
const ptr = this.__wbg_ptr;
this.__wbg_ptr = 0;
IntoUnderlyingSourceFinalization.unregister(this);
return ptr;
}
free() {
const ptr = this.__destroy_into_raw();
wasm.Sj(ptr, 0);
}
cancel() {
const ptr = this.__destroy_into_raw();
wasm.$j(ptr);
}
pull(controller) {
const ret = wasm.ak(this.__wbg_ptr, controller);
return ret;
}
}
if (Symbol.dispose) IntoUnderlyingSource.prototype[Symbol.dispose] = IntoUnderlyingSource.prototype.free;
function __wbg_get_imports() {
const import0 = {
__proto__: null,
Pd: function(arg0, arg1) {
const ret = Error(getStringFromWasm0(arg0, arg1));
return ret;
},
Hi: function(arg0) {
const ret = arg0.Window;
return ret;
},
Ki: function(arg0) {
const ret = arg0.WorkerGlobalScope;
return ret;
},
Gf: function(arg0, arg1) {
const ret = debugString(arg1);
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
zf: function(arg0) {
const ret = !arg0;
return ret;
},
Bf: function(arg0) {
const ret = typeof(arg0) === 'function';
return ret;
},
yf: function(arg0) {
const ret = arg0 === null;
return ret;
},
Jc: function(arg0) {
const val = arg0;
const ret = typeof(val) === 'object' && val !== null;
return ret;
},
Af: function(arg0) {
const ret = typeof(arg0) === 'string';
return ret;
},
Cf: function(arg0) {
const ret = arg0 === undefined;
return ret;
},
ld: function(arg0, arg1) {
const ret = arg0 === arg1;
return ret;
},
xf: function(arg0, arg1) {
const obj = arg1;
const ret = typeof(obj) === 'number' ? obj : undefined;
getDataViewMemory0().setFloat64((arg0 >>> 0) + 8 * 1, isLikeNone(ret) ? 0 : ret, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, !isLikeNone(ret), true);
},
wf: function(arg0, arg1) {
const obj = arg1;
const ret = typeof(obj) === 'string' ? obj : undefined;
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Df: function(arg0, arg1) {
throw new Error(getStringFromWasm0(arg0, arg1));
},
ed: function(arg0) {
arg0._wbg_cb_unref();
},
fj: function(arg0) {
arg0.abort();
},
ig: function(arg0) {
const ret = arg0.activeElement;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Cg: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.addEventListener(getStringFromWasm0(arg1, arg2), arg3);
}, arguments); },
gf: function() { return handleError(function (arg0, arg1, arg2) {
arg0.add(getStringFromWasm0(arg1, arg2));
}, arguments); },
fh: function() { return handleError(function (arg0, arg1) {
const ret = arg0.appendChild(arg1);
return ret;
}, arguments); },
pj: function() { return handleError(function (arg0) {
const ret = arg0.arrayBuffer();
return ret;
}, arguments); },
ci: function(arg0) {
const ret = arg0.arrayBuffer();
return ret;
},
yh: function(arg0, arg1) {
const ret = arg0.beginComputePass(arg1);
return ret;
},
ec: function() { return handleError(function (arg0) {
arg0.blur();
}, arguments); },
Aa: function(arg0) {
const ret = arg0.body;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
t: function(arg0) {
const ret = arg0.body;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
$c: function(arg0) {
const ret = arg0.bottom;
return ret;
},
ic: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = IDBKeyRange.bound(arg0, arg1, arg2 !== 0, arg3 !== 0);
return ret;
}, arguments); },
Vb: function(arg0) {
const ret = arg0.buffer;
return ret;
},
Jf: function(arg0) {
const ret = arg0.byobRequest;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Lf: function(arg0) {
const ret = arg0.byteLength;
return ret;
},
Of: function(arg0) {
const ret = arg0.byteOffset;
return ret;
},
hj: function() { return handleError(function (arg0) {
const ret = arg0.caches;
return ret;
}, arguments); },
pe: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
const ret = arg0.call(arg1, arg2, arg3, arg4);
return ret;
}, arguments); },
Nc: function() { return handleError(function (arg0, arg1) {
const ret = arg0.call(arg1);
return ret;
}, arguments); },
ef: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.call(arg1, arg2);
return ret;
}, arguments); },
nf: function(arg0) {
const ret = arg0.cancelBubble;
return ret;
},
S: function(arg0) {
const ret = arg0.cancel();
return ret;
},
Rg: function(arg0) {
const ret = arg0.canvas;
return ret;
},
Ye: function(arg0) {
const ret = arg0.checked;
return ret;
},
K: function(arg0) {
const ret = arg0.classList;
return ret;
},
sb: function(arg0, arg1, arg2, arg3) {
arg0.clearBuffer(arg1, arg2, arg3);
},
Yi: function(arg0, arg1, arg2, arg3, arg4) {
arg0.clearRect(arg1, arg2, arg3, arg4);
},
J: function(arg0) {
arg0.click();
},
Xb: function(arg0) {
const ret = arg0.clientHeight;
return ret;
},
Wb: function(arg0) {
const ret = arg0.clientWidth;
return ret;
},
rc: function(arg0) {
const ret = arg0.clientX;
return ret;
},
Fd: function(arg0) {
const ret = arg0.clipboardData;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Yc: function(arg0) {
const ret = arg0.clipboard;
return ret;
},
qf: function() { return handleError(function (arg0) {
const ret = arg0.cloneNode();
return ret;
}, arguments); },
lf: function() { return handleError(function (arg0, arg1) {
const ret = arg0.cloneNode(arg1 !== 0);
return ret;
}, arguments); },
Hf: function() { return handleError(function (arg0) {
arg0.close();
}, arguments); },
ce: function(arg0) {
arg0.close();
},
Th: function(arg0) {
arg0.close();
},
ej: function(arg0) {
arg0.close();
},
Nf: function() { return handleError(function (arg0) {
arg0.close();
}, arguments); },
ag: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.closest(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
mf: function(arg0) {
const ret = arg0.composedPath();
return ret;
},
Fi: function() { return handleError(function (arg0, arg1) {
arg0.configure(arg1);
}, arguments); },
ba: function() { return handleError(function (arg0, arg1) {
const ret = Reflect.construct(arg0, arg1);
return ret;
}, arguments); },
cc: function(arg0, arg1) {
const ret = arg0.contains(arg1);
return ret;
},
kf: function(arg0) {
const ret = arg0.content;
return ret;
},
Sg: function() { return handleError(function (arg0, arg1) {
const ret = arg0.convertToBlob(arg1);
return ret;
}, arguments); },
zh: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4, arg5) {
arg0.copyBufferToBuffer(arg1, arg2, arg3, arg4, arg5);
}, arguments); },
_e: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.copyTextureToBuffer(arg1, arg2, arg3);
}, arguments); },
Tb: function(arg0, arg1) {
const ret = arg0.createBindGroup(arg1);
return ret;
},
Nh: function() { return handleError(function (arg0, arg1) {
const ret = arg0.createBuffer(arg1);
return ret;
}, arguments); },
Uh: function(arg0, arg1) {
const ret = arg0.createCommandEncoder(arg1);
return ret;
},
jf: function(arg0, arg1, arg2) {
const ret = arg0.createComment(getStringFromWasm0(arg1, arg2));
return ret;
},
Gb: function(arg0, arg1) {
const ret = arg0.createComputePipeline(arg1);
return ret;
},
ng: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
const ret = arg0.createElementNS(arg1 === 0 ? undefined : getStringFromWasm0(arg1, arg2), getStringFromWasm0(arg3, arg4));
return ret;
}, arguments); },
jg: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.createElement(getStringFromWasm0(arg1, arg2));
return ret;
}, arguments); },
$e: function() { return handleError(function (arg0, arg1) {
const ret = arg0.createImageBitmap(arg1);
return ret;
}, arguments); },
Ui: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.createImageBitmap(arg1, arg2);
return ret;
}, arguments); },
ae: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
const ret = arg0.createIndex(getStringFromWasm0(arg1, arg2), arg3, arg4);
return ret;
}, arguments); },
Ud: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg0.createObjectStore(getStringFromWasm0(arg1, arg2), arg3);
return ret;
}, arguments); },
bh: function() { return handleError(function (arg0, arg1) {
const ret = URL.createObjectURL(arg1);
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
ve: function() { return handleError(function (arg0, arg1) {
const ret = arg0.createQuerySet(arg1);
return ret;
}, arguments); },
td: function(arg0) {
const ret = arg0.createReader();
return ret;
},
Ab: function(arg0, arg1) {
const ret = arg0.createShaderModule(arg1);
return ret;
},
uf: function(arg0, arg1, arg2) {
const ret = arg0.createTextNode(getStringFromWasm0(arg1, arg2));
return ret;
},
Je: function() { return handleError(function (arg0, arg1) {
const ret = arg0.createTexture(arg1);
return ret;
}, arguments); },
Pe: function() { return handleError(function (arg0, arg1) {
const ret = arg0.createView(arg1);
return ret;
}, arguments); },
md: function(arg0) {
const ret = arg0.ctrlKey;
return ret;
},
wg: function(arg0) {
const ret = arg0.dataTransfer;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
yg: function(arg0, arg1) {
const ret = arg1.data;
const ptr1 = passArray8ToWasm0(ret, wasm.zk);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
rb: function(arg0) {
const ret = arg0.data;
return ret;
},
gg: function(arg0) {
console.debug(arg0);
},
sj: function() { return handleError(function (arg0, arg1) {
const ret = decodeURIComponent(getStringFromWasm0(arg0, arg1));
return ret;
}, arguments); },
Lg: function() { return handleError(function (arg0, arg1, arg2) {
arg0.deleteIndex(getStringFromWasm0(arg1, arg2));
}, arguments); },
yb: function() { return handleError(function (arg0, arg1, arg2) {
arg0.deleteObjectStore(getStringFromWasm0(arg1, arg2));
}, arguments); },
vf: function() { return handleError(function (arg0, arg1) {
const ret = Reflect.deleteProperty(arg0, arg1);
return ret;
}, arguments); },
nj: function(arg0, arg1) {
const ret = arg0.delete(arg1);
return ret;
},
$: function() { return handleError(function (arg0, arg1) {
const ret = arg0.delete(arg1);
return ret;
}, arguments); },
lj: function(arg0, arg1, arg2) {
const ret = arg0.delete(getStringFromWasm0(arg1, arg2));
return ret;
},
ab: function(arg0, arg1) {
const ret = arg1.description;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Oa: function(arg0) {
arg0.destroy();
},
Qg: function(arg0, arg1) {
const ret = arg1.deviceId;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ub: function(arg0, arg1, arg2, arg3) {
arg0.dispatchWorkgroups(arg1 >>> 0, arg2 >>> 0, arg3 >>> 0);
},
mg: function(arg0) {
const ret = arg0.documentElement;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Vf: function(arg0) {
const ret = arg0.document;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Aj: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4, arg5) {
arg0.drawImage(arg1, arg2, arg3, arg4, arg5);
}, arguments); },
_g: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.drawImage(arg1, arg2, arg3);
}, arguments); },
rj: function(arg0, arg1) {
const ret = encodeURIComponent(getStringFromWasm0(arg0, arg1));
return ret;
},
vb: function(arg0) {
arg0.end();
},
If: function() { return handleError(function (arg0, arg1) {
arg0.enqueue(arg1);
}, arguments); },
Ic: function() { return handleError(function (arg0) {
const ret = arg0.enumerateDevices();
return ret;
}, arguments); },
Ag: function() { return handleError(function (arg0) {
const ret = arg0.error;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
R: function(arg0) {
const ret = arg0.error;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Oh: function(arg0) {
const ret = arg0.error;
return ret;
},
Ad: function(arg0, arg1) {
let deferred0_0;
let deferred0_1;
try {
deferred0_0 = arg0;
deferred0_1 = arg1;
console.error(getStringFromWasm0(arg0, arg1));
} finally {
wasm.Bk(deferred0_0, deferred0_1, 1);
}
},
hg: function(arg0) {
console.error(arg0);
},
fa: function() { return handleError(function (arg0) {
const ret = arg0.estimate();
return ret;
}, arguments); },
gb: function(arg0) {
const ret = arg0.features;
return ret;
},
va: function(arg0, arg1, arg2, arg3) {
const ret = arg0.fetch(getStringFromWasm0(arg1, arg2), arg3);
return ret;
},
vd: function(arg0, arg1, arg2) {
arg0.file(arg1, arg2);
},
Ig: function(arg0) {
const ret = arg0.files;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
E: function(arg0) {
const ret = arg0.files;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Ji: function(arg0, arg1, arg2, arg3, arg4) {
arg0.fillRect(arg1, arg2, arg3, arg4);
},
Dh: function(arg0) {
const ret = arg0.finish();
return ret;
},
Ch: function(arg0, arg1) {
const ret = arg0.finish(arg1);
return ret;
},
_f: function(arg0) {
const ret = arg0.firstElementChild;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Eg: function() { return handleError(function (arg0) {
arg0.focus();
}, arguments); },
Jj: function() { return handleError(function (arg0) {
const ret = Object.fromEntries(arg0);
return ret;
}, arguments); },
ud: function(arg0, arg1) {
const ret = arg1.fullPath;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Mg: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getAll(arg1, arg2 >>> 0);
return ret;
}, arguments); },
mc: function() { return handleError(function (arg0, arg1) {
const ret = arg0.getAll(arg1);
return ret;
}, arguments); },
U: function() { return handleError(function (arg0) {
const ret = arg0.getAll();
return ret;
}, arguments); },
qg: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getAll(arg1, arg2 >>> 0);
return ret;
}, arguments); },
V: function() { return handleError(function (arg0, arg1) {
const ret = arg0.getAll(arg1);
return ret;
}, arguments); },
lc: function() { return handleError(function (arg0) {
const ret = arg0.getAll();
return ret;
}, arguments); },
zd: function() { return handleError(function (arg0) {
const ret = arg0.getAsFile();
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
Xf: function(arg0, arg1, arg2, arg3) {
const ret = arg1.getAttribute(getStringFromWasm0(arg2, arg3));
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Hb: function(arg0, arg1) {
const ret = arg0.getBindGroupLayout(arg1 >>> 0);
return ret;
},
qc: function(arg0) {
const ret = arg0.getBoundingClientRect();
return ret;
},
Ci: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getContext(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
Vg: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getContext(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
lh: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg0.getContext(getStringFromWasm0(arg1, arg2), arg3);
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
og: function(arg0, arg1, arg2) {
const ret = arg0.getElementById(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
bc: function(arg0, arg1, arg2) {
const ret = arg0.getElementsByClassName(getStringFromWasm0(arg1, arg2));
return ret;
},
W: function(arg0, arg1, arg2) {
const ret = arg0.getElementsByTagName(getStringFromWasm0(arg1, arg2));
return ret;
},
Zg: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
const ret = arg0.getImageData(arg1, arg2, arg3, arg4);
return ret;
}, arguments); },
nc: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg1.getItem(getStringFromWasm0(arg2, arg3));
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
La: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getMappedRange(arg1, arg2);
return ret;
}, arguments); },
P: function(arg0) {
const ret = arg0.getReader();
return ret;
},
Gc: function(arg0) {
const ret = arg0.getSettings();
return ret;
},
A: function(arg0) {
const ret = arg0.getTracks();
return ret;
},
Pc: function() { return handleError(function (arg0, arg1) {
const ret = arg0.getUserMedia(arg1);
return ret;
}, arguments); },
Tc: function(arg0) {
const ret = arg0.getVideoTracks();
return ret;
},
Md: function() { return handleError(function (arg0, arg1) {
const ret = Reflect.get(arg0, arg1);
return ret;
}, arguments); },
D: function() { return handleError(function (arg0, arg1) {
const ret = arg0.get(arg1);
return ret;
}, arguments); },
Da: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg1.get(getStringFromWasm0(arg2, arg3));
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
la: function(arg0, arg1, arg2) {
const ret = arg1[arg2 >>> 0];
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
I: function(arg0, arg1) {
const ret = arg0[arg1 >>> 0];
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Wg: function(arg0, arg1) {
const ret = arg0[arg1 >>> 0];
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
v: function(arg0, arg1) {
const ret = arg0[arg1 >>> 0];
return ret;
},
Hc: function(arg0, arg1) {
const ret = arg1.deviceId;
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Wc: function(arg0, arg1) {
const ret = arg1.facingMode;
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.zk, wasm.Ak);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Ef: function(arg0, arg1) {
const ret = arg0[arg1 >>> 0];
return ret;
},
Ii: function(arg0) {
const ret = arg0.gpu;
return ret;
},
hb: function(arg0, arg1, arg2) {
const ret = arg0.has(getStringFromWasm0(arg1, arg2));
return ret;
},
rg: function() { return handleError(function (arg0, arg1) {
const ret = arg1.hash;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
Ca: function(arg0) {
const ret = arg0.headers;
return ret;
},
Xi: function(arg0) {
const ret = arg0.height;
return ret;
},
zj: function(arg0) {
const ret = arg0.height;
return ret;
},
Hd: function(arg0) {
const ret = arg0.height;
return ret;
},
pg: function(arg0) {
const ret = arg0.hidden;
return ret;
},
Dd: function() { return handleError(function (arg0) {
const ret = arg0.history;
return ret;
}, arguments); },
pf: function(arg0) {
const ret = arg0.host;
return ret;
},
Va: function(arg0, arg1) {
const ret = arg1.href;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Hg: function(arg0, arg1) {
const ret = arg1.id;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Vd: function(arg0) {
const ret = arg0.indexNames;
return ret;
},
Ng: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.index(getStringFromWasm0(arg1, arg2));
return ret;
}, arguments); },
$a: function(arg0) {
const ret = arg0.info;
return ret;
},
eg: function(arg0) {
console.info(arg0);
},
_c: function() { return handleError(function (arg0) {
const ret = arg0.innerHeight;
return ret;
}, arguments); },
hh: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.insertBefore(arg1, arg2);
return ret;
}, arguments); },
C: function(arg0) {
let result;
try {
result = arg0 instanceof Blob;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
kj: function(arg0) {
let result;
try {
result = arg0 instanceof Cache;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Ea: function(arg0) {
let result;
try {
result = arg0 instanceof CanvasRenderingContext2D;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Rc: function(arg0) {
let result;
try {
result = arg0 instanceof DOMException;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Wf: function(arg0) {
let result;
try {
result = arg0 instanceof Element;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
ah: function(arg0) {
let result;
try {
result = arg0 instanceof File;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Sh: function(arg0) {
let result;
try {
result = arg0 instanceof GPUOutOfMemoryError;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Qh: function(arg0) {
let result;
try {
result = arg0 instanceof GPUValidationError;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
ee: function(arg0) {
let result;
try {
result = arg0 instanceof HTMLCanvasElement;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Fg: function(arg0) {
let result;
try {
result = arg0 instanceof HTMLElement;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Ce: function(arg0) {
let result;
try {
result = arg0 instanceof HTMLInputElement;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Hh: function(arg0) {
let result;
try {
result = arg0 instanceof IDBDatabase;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
ke: function(arg0) {
let result;
try {
result = arg0 instanceof IDBFactory;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Zi: function(arg0) {
let result;
try {
result = arg0 instanceof IDBOpenDBRequest;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
ij: function(arg0) {
let result;
try {
result = arg0 instanceof IDBRequest;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
G: function(arg0) {
let result;
try {
result = arg0 instanceof IDBTransaction;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
_i: function(arg0) {
let result;
try {
result = arg0 instanceof ImageBitmap;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Uc: function(arg0) {
let result;
try {
result = arg0 instanceof MediaStreamTrack;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Qc: function(arg0) {
let result;
try {
result = arg0 instanceof MediaStream;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
wh: function(arg0) {
let result;
try {
result = arg0 instanceof OffscreenCanvasRenderingContext2D;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
je: function(arg0) {
let result;
try {
result = arg0 instanceof Promise;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
qj: function(arg0) {
let result;
try {
result = arg0 instanceof Response;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
xc: function(arg0) {
let result;
try {
result = arg0 instanceof ServiceWorker;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
of: function(arg0) {
let result;
try {
result = arg0 instanceof ShadowRoot;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
ca: function(arg0) {
let result;
try {
result = arg0 instanceof Uint8Array;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Rf: function(arg0) {
let result;
try {
result = arg0 instanceof Window;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
tj: function(arg0) {
const ret = Array.isArray(arg0);
return ret;
},
gh: function(arg0) {
const ret = arg0.isConnected;
return ret;
},
yd: function(arg0) {
const ret = arg0.isDirectory;
return ret;
},
cb: function(arg0) {
const ret = arg0.isFallbackAdapter;
return ret;
},
sd: function(arg0) {
const ret = arg0.isFile;
return ret;
},
Tf: function(arg0) {
const ret = arg0.isSecureContext;
return ret;
},
Y: function(arg0, arg1) {
const ret = Object.is(arg0, arg1);
return ret;
},
Kg: function(arg0, arg1) {
const ret = arg0.item(arg1 >>> 0);
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
qd: function(arg0) {
const ret = arg0.items;
return ret;
},
Wd: function() { return handleError(function (arg0) {
const ret = arg0.keyPath;
return ret;
}, arguments); },
Jg: function(arg0, arg1) {
const ret = arg1.key;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
mj: function(arg0) {
const ret = arg0.keys();
return ret;
},
Ug: function(arg0, arg1) {
const ret = arg1.kind;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Lc: function(arg0) {
const ret = arg0.kind;
return (__wbindgen_enum_MediaDeviceKind.indexOf(ret) + 1 || 4) - 1;
},
Xc: function(arg0, arg1) {
const ret = arg1.label;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Mc: function(arg0, arg1) {
const ret = arg1.label;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Ah: function(arg0, arg1) {
const ret = arg1.label;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
he: function(arg0) {
const ret = arg0.languages;
return ret;
},
sc: function(arg0) {
const ret = arg0.left;
return ret;
},
pd: function(arg0) {
const ret = arg0.length;
return ret;
},
rd: function(arg0) {
const ret = arg0.length;
return ret;
},
we: function(arg0) {
const ret = arg0.length;
return ret;
},
aa: function(arg0) {
const ret = arg0.length;
return ret;
},
H: function(arg0) {
const ret = arg0.length;
return ret;
},
X: function(arg0) {
const ret = arg0.length;
return ret;
},
Ej: function(arg0) {
const ret = arg0.length;
return ret;
},
fb: function(arg0) {
const ret = arg0.limits;
return ret;
},
ze: function(arg0) {
const ret = arg0.limits;
return ret;
},
Sf: function() { return handleError(function (arg0) {
const ret = arg0.localStorage;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
hc: function(arg0) {
const ret = arg0.location;
return ret;
},
dg: function(arg0) {
console.log(arg0);
},
ob: function(arg0) {
const ret = arg0.lost;
return ret;
},
Eh: function(arg0, arg1, arg2, arg3) {
const ret = arg0.mapAsync(arg1 >>> 0, arg2, arg3);
return ret;
},
dd: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.matchMedia(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
oj: function(arg0, arg1, arg2) {
const ret = arg0.match(getStringFromWasm0(arg1, arg2));
return ret;
},
fd: function(arg0) {
const ret = arg0.matches;
return ret;
},
bg: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.matches(getStringFromWasm0(arg1, arg2));
return ret;
}, arguments); },
_h: function(arg0) {
const ret = arg0.maxBindGroupsPlusVertexBuffers;
return ret;
},
Zh: function(arg0) {
const ret = arg0.maxBindGroups;
return ret;
},
$h: function(arg0) {
const ret = arg0.maxBindingsPerBindGroup;
return ret;
},
li: function(arg0) {
const ret = arg0.maxBufferSize;
return ret;
},
ti: function(arg0) {
const ret = arg0.maxColorAttachmentBytesPerSample;
return ret;
},
si: function(arg0) {
const ret = arg0.maxColorAttachments;
return ret;
},
vi: function(arg0) {
const ret = arg0.maxComputeInvocationsPerWorkgroup;
return ret;
},
wi: function(arg0) {
const ret = arg0.maxComputeWorkgroupSizeX;
return ret;
},
xi: function(arg0) {
const ret = arg0.maxComputeWorkgroupSizeY;
return ret;
},
zi: function(arg0) {
const ret = arg0.maxComputeWorkgroupSizeZ;
return ret;
},
ui: function(arg0) {
const ret = arg0.maxComputeWorkgroupStorageSize;
return ret;
},
Ai: function(arg0) {
const ret = arg0.maxComputeWorkgroupsPerDimension;
return ret;
},
bi: function(arg0) {
const ret = arg0.maxDynamicStorageBuffersPerPipelineLayout;
return ret;
},
ai: function(arg0) {
const ret = arg0.maxDynamicUniformBuffersPerPipelineLayout;
return ret;
},
pi: function(arg0) {
const ret = arg0.maxInterStageShaderVariables;
return ret;
},
di: function(arg0) {
const ret = arg0.maxSampledTexturesPerShaderStage;
return ret;
},
ei: function(arg0) {
const ret = arg0.maxSamplersPerShaderStage;
return ret;
},
ji: function(arg0) {
const ret = arg0.maxStorageBufferBindingSize;
return ret;
},
fi: function(arg0) {
const ret = arg0.maxStorageBuffersPerShaderStage;
return ret;
},
gi: function(arg0) {
const ret = arg0.maxStorageTexturesPerShaderStage;
return ret;
},
Yh: function(arg0) {
const ret = arg0.maxTextureArrayLayers;
return ret;
},
Vh: function(arg0) {
const ret = arg0.maxTextureDimension1D;
return ret;
},
Wh: function(arg0) {
const ret = arg0.maxTextureDimension2D;
return ret;
},
Xh: function(arg0) {
const ret = arg0.maxTextureDimension3D;
return ret;
},
ii: function(arg0) {
const ret = arg0.maxUniformBufferBindingSize;
return ret;
},
hi: function(arg0) {
const ret = arg0.maxUniformBuffersPerShaderStage;
return ret;
},
mi: function(arg0) {
const ret = arg0.maxVertexAttributes;
return ret;
},
oi: function(arg0) {
const ret = arg0.maxVertexBufferArrayStride;
return ret;
},
ki: function(arg0) {
const ret = arg0.maxVertexBuffers;
return ret;
},
Rh: function(arg0, arg1) {
const ret = arg1.message;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
rh: function(arg0, arg1) {
const ret = arg1.message;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
nd: function(arg0) {
const ret = arg0.metaKey;
return ret;
},
ri: function(arg0) {
const ret = arg0.minStorageBufferOffsetAlignment;
return ret;
},
qi: function(arg0) {
const ret = arg0.minUniformBufferOffsetAlignment;
return ret;
},
Zd: function(arg0) {
const ret = arg0.multiEntry;
return ret;
},
Sc: function(arg0, arg1) {
const ret = arg1.name;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Pg: function(arg0, arg1) {
const ret = arg1.name;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
dh: function(arg0, arg1) {
const ret = arg1.name;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
hd: function(arg0) {
const ret = arg0.naturalWidth;
return ret;
},
Li: function(arg0) {
const ret = arg0.navigator;
return ret;
},
da: function(arg0) {
const ret = arg0.navigator;
return ret;
},
ni: function(arg0) {
const ret = new Uint8Array(arg0);
return ret;
},
sa: function() { return handleError(function () {
const ret = new Headers();
return ret;
}, arguments); },
Tg: function() { return handleError(function (arg0, arg1) {
const ret = new OffscreenCanvas(arg0 >>> 0, arg1 >>> 0);
return ret;
}, arguments); },
wa: function() {
const ret = new Array();
return ret;
},
fc: function(arg0) {
const ret = new Date(arg0);
return ret;
},
Ba: function() { return handleError(function (arg0) {
const ret = new ReadableStreamDefaultReader(arg0);
return ret;
}, arguments); },
$i: function() { return handleError(function () {
const ret = new MessageChannel();
return ret;
}, arguments); },
gj: function() { return handleError(function () {
const ret = new AbortController();
return ret;
}, arguments); },
Mf: function(arg0, arg1) {
const ret = new Error(getStringFromWasm0(arg0, arg1));
return ret;
},
af: function() { return handleError(function (arg0, arg1) {
const ret = new BroadcastChannel(getStringFromWasm0(arg0, arg1));
return ret;
}, arguments); },
gd: function(arg0, arg1) {
try {
var state0 = {a: arg0, b: arg1};
var cb0 = (arg0, arg1) => {
const a = state0.a;
state0.a = 0;
try {
return _ZN12wasm_bindgen7convert8closures1_6invoke17h2999ce531aff46b7E(a, state0.b, arg0, arg1);
} finally {
state0.a = a;
}
};
const ret = new Promise(cb0);
return ret;
} finally {
state0.a = 0;
}
},
u: function() {
const ret = new Error();
return ret;
},
kg: function() {
const ret = new Object();
return ret;
},
Lj: function(arg0, arg1) {
const ret = new Uint8Array(getArrayU8FromWasm0(arg0, arg1));
return ret;
},
ib: function() {
const ret = new Object();
return ret;
},
Nd: function(arg0, arg1) {
try {
var state0 = {a: arg0, b: arg1};
var cb0 = (arg0, arg1) => {
const a = state0.a;
state0.a = 0;
try {
return _ZN12wasm_bindgen7convert8closures1_6invoke17h2999ce531aff46b7E(a, state0.b, arg0, arg1);
} finally {
state0.a = a;
}
};
const ret = new Promise(cb0);
return ret;
} finally {
state0.a = 0;
}
},
Ua: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = new URL(getStringFromWasm0(arg0, arg1), getStringFromWasm0(arg2, arg3));
return ret;
}, arguments); },
qe: function() { return handleError(function (arg0) {
const ret = new Blob(arg0);
return ret;
}, arguments); },
w: function() { return handleError(function (arg0, arg1) {
const ret = new Blob(arg0, arg1);
return ret;
}, arguments); },
Ma: function(arg0, arg1, arg2) {
const ret = new Uint8Array(arg0, arg1 >>> 0, arg2 >>> 0);
return ret;
},
Kd: function() { return handleError(function (arg0) {
const ret = new Response(arg0);
return ret;
}, arguments); },
Wa: function() { return handleError(function (arg0, arg1, arg2) {
const ret = new Worker(getStringFromWasm0(arg0, arg1), arg2);
return ret;
}, arguments); },
Nj: function() { return handleError(function (arg0) {
const ret = new Blob(arg0);
return ret;
}, arguments); },
ma: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = new File(arg0, getStringFromWasm0(arg1, arg2), arg3);
return ret;
}, arguments); },
xg: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = new ImageData(getClampedArrayU8FromWasm0(arg0, arg1), arg2 >>> 0, arg3 >>> 0);
return ret;
}, arguments); },
ha: function(arg0, arg1, arg2) {
const ret = arg0.normalize(getStringFromWasm0(arg1, arg2));
return ret;
},
cd: function(arg0) {
const ret = arg0.now();
return ret;
},
Bj: function() {
const ret = Date.now();
return ret;
},
kh: function(arg0) {
const ret = arg0.now();
return ret;
},
Sa: function(arg0) {
const ret = arg0.objectStoreNames;
return ret;
},
Og: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.objectStore(getStringFromWasm0(arg1, arg2));
return ret;
}, arguments); },
Mj: function(arg0) {
const ret = Array.of(arg0);
return ret;
},
Ka: function(arg0, arg1, arg2) {
const ret = Array.of(arg0, arg1, arg2);
return ret;
},
Ij: function(arg0, arg1) {
const ret = Array.of(arg0, arg1);
return ret;
},
Z: function(arg0) {
const ret = arg0.offsetParent;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
xa: function(arg0) {
const ret = arg0.ok;
return ret;
},
Cd: function(arg0, arg1) {
const ret = arg1.oldURL;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Ra: function(arg0) {
const ret = arg0.onSubmittedWorkDone();
return ret;
},
T: function() { return handleError(function (arg0) {
const ret = IDBKeyRange.only(arg0);
return ret;
}, arguments); },
le: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg0.open(getStringFromWasm0(arg1, arg2), arg3 >>> 0);
return ret;
}, arguments); },
pc: function(arg0) {
const ret = arg0.open;
return ret;
},
jj: function(arg0, arg1, arg2) {
const ret = arg0.open(getStringFromWasm0(arg1, arg2));
return ret;
},
me: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.open(getStringFromWasm0(arg1, arg2));
return ret;
}, arguments); },
Rd: function(arg0) {
const ret = arg0.parentElement;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
eh: function(arg0) {
const ret = arg0.parentNode;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Qd: function() { return handleError(function (arg0, arg1) {
const ret = JSON.parse(getStringFromWasm0(arg0, arg1));
return ret;
}, arguments); },
yc: function() { return handleError(function (arg0, arg1) {
const ret = arg1.pathname;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
bd: function(arg0) {
const ret = arg0.performance;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
jh: function(arg0) {
const ret = arg0.performance;
return ret;
},
jd: function() { return handleError(function (arg0) {
const ret = arg0.persist();
return ret;
}, arguments); },
ga: function() { return handleError(function (arg0) {
const ret = arg0.persisted();
return ret;
}, arguments); },
O: function(arg0, arg1) {
const ret = arg0.pipeThrough(arg1);
return ret;
},
Ec: function() { return handleError(function (arg0) {
const ret = arg0.play();
return ret;
}, arguments); },
aj: function(arg0) {
const ret = arg0.port1;
return ret;
},
cj: function(arg0) {
const ret = arg0.port2;
return ret;
},
wc: function() { return handleError(function (arg0, arg1) {
arg0.postMessage(arg1);
}, arguments); },
dj: function() { return handleError(function (arg0, arg1) {
arg0.postMessage(arg1);
}, arguments); },
Ia: function() { return handleError(function (arg0, arg1) {
arg0.postMessage(arg1);
}, arguments); },
Ga: function() { return handleError(function (arg0, arg1, arg2) {
arg0.postMessage(arg1, arg2);
}, arguments); },
_: function() { return handleError(function (arg0, arg1) {
arg0.postMessage(arg1);
}, arguments); },
Zb: function(arg0) {
arg0.preventDefault();
},
Bd: function(arg0, arg1, arg2) {
Uint8Array.prototype.set.call(getArrayU8FromWasm0(arg0, arg1), arg2);
},
xe: function(arg0, arg1, arg2) {
Float64Array.prototype.set.call(getArrayF64FromWasm0(arg0, arg1), arg2);
},
Ha: function(arg0, arg1) {
const ret = arg0.push(arg1);
return ret;
},
Xg: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.putImageData(arg1, arg2, arg3);
}, arguments); },
$f: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.putImageData(arg1, arg2, arg3);
}, arguments); },
Gj: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.put(arg1, arg2);
return ret;
}, arguments); },
Hj: function() { return handleError(function (arg0, arg1) {
const ret = arg0.put(arg1);
return ret;
}, arguments); },
Ld: function(arg0, arg1, arg2, arg3) {
const ret = arg0.put(getStringFromWasm0(arg1, arg2), arg3);
return ret;
},
Zf: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.querySelector(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
lg: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.querySelector(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
Ub: function(arg0) {
const ret = arg0.queueMicrotask;
return ret;
},
re: function(arg0) {
queueMicrotask(arg0);
},
Bi: function(arg0) {
const ret = arg0.queue;
return ret;
},
wd: function() { return handleError(function (arg0, arg1, arg2) {
arg0.readEntries(arg1, arg2);
}, arguments); },
Q: function(arg0) {
const ret = arg0.read();
return ret;
},
vj: function(arg0) {
const ret = arg0.readyState;
return ret;
},
Fc: function(arg0) {
const ret = arg0.readyState;
return (__wbindgen_enum_MediaStreamTrackState.indexOf(ret) + 1 || 3) - 1;
},
qh: function(arg0) {
const ret = arg0.reason;
return (__wbindgen_enum_GpuDeviceLostReason.indexOf(ret) + 1 || 3) - 1;
},
sg: function() { return handleError(function (arg0) {
arg0.reload();
}, arguments); },
rf: function() { return handleError(function (arg0, arg1, arg2) {
arg0.removeAttribute(getStringFromWasm0(arg1, arg2));
}, arguments); },
Dg: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.removeEventListener(getStringFromWasm0(arg1, arg2), arg3);
}, arguments); },
df: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg1.removeProperty(getStringFromWasm0(arg2, arg3));
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
ff: function() { return handleError(function (arg0, arg1, arg2) {
arg0.remove(getStringFromWasm0(arg1, arg2));
}, arguments); },
Ne: function(arg0) {
arg0.remove();
},
ja: function(arg0) {
arg0.remove();
},
id: function(arg0) {
const ret = arg0.repeat;
return ret;
},
Ed: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4, arg5) {
arg0.replaceState(arg1, getStringFromWasm0(arg2, arg3), arg4 === 0 ? undefined : getStringFromWasm0(arg4, arg5));
}, arguments); },
_a: function(arg0, arg1) {
const ret = arg0.requestAdapter(arg1);
return ret;
},
hf: function() { return handleError(function (arg0, arg1) {
const ret = arg0.requestAnimationFrame(arg1);
return ret;
}, arguments); },
nb: function(arg0, arg1) {
const ret = arg0.requestDevice(arg1);
return ret;
},
ye: function(arg0, arg1, arg2, arg3, arg4, arg5) {
arg0.resolveQuerySet(arg1, arg2 >>> 0, arg3 >>> 0, arg4, arg5 >>> 0);
},
dc: function(arg0) {
const ret = Promise.resolve(arg0);
return ret;
},
Yg: function() { return handleError(function (arg0, arg1) {
arg0.respond(arg1 >>> 0);
}, arguments); },
Bg: function() { return handleError(function (arg0) {
const ret = arg0.result;
return ret;
}, arguments); },
$g: function() { return handleError(function (arg0, arg1) {
URL.revokeObjectURL(getStringFromWasm0(arg0, arg1));
}, arguments); },
Yb: function(arg0) {
const ret = arg0.scrollTop;
return ret;
},
tg: function() { return handleError(function (arg0, arg1) {
const ret = arg1.search;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
Bc: function(arg0) {
arg0.select();
},
uc: function(arg0) {
const ret = arg0.serviceWorker;
return ret;
},
Yf: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
arg0.setAttribute(getStringFromWasm0(arg1, arg2), getStringFromWasm0(arg3, arg4));
}, arguments); },
ph: function(arg0, arg1, arg2) {
arg0.setBindGroup(arg1 >>> 0, arg2);
},
Ff: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
arg0.setItem(getStringFromWasm0(arg1, arg2), getStringFromWasm0(arg3, arg4));
}, arguments); },
tb: function(arg0, arg1) {
arg0.setPipeline(arg1);
},
cf: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
arg0.setProperty(getStringFromWasm0(arg1, arg2), getStringFromWasm0(arg3, arg4));
}, arguments); },
Uf: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.setTimeout(arg1, arg2);
return ret;
}, arguments); },
Gh: function(arg0, arg1, arg2) {
arg0.set(arg1, arg2 >>> 0);
},
Xd: function() { return handleError(function (arg0, arg1, arg2) {
const ret = Reflect.set(arg0, arg1, arg2);
return ret;
}, arguments); },
We: function(arg0, arg1) {
arg0.aspect = __wbindgen_enum_GpuTextureAspect[arg1];
},
Ke: function(arg0, arg1) {
arg0.aspect = __wbindgen_enum_GpuTextureAspect[arg1];
},
Sd: function(arg0, arg1) {
arg0.autoIncrement = arg1 !== 0;
},
Dc: function(arg0, arg1) {
arg0.autoplay = arg1 !== 0;
},
Le: function(arg0, arg1) {
arg0.baseArrayLayer = arg1 >>> 0;
},
Me: function(arg0, arg1) {
arg0.baseMipLevel = arg1 >>> 0;
},
ta: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
arg0.set(getStringFromWasm0(arg1, arg2), getStringFromWasm0(arg3, arg4));
}, arguments); },
uh: function(arg0, arg1) {
arg0.beginningOfPassWriteIndex = arg1 >>> 0;
},
Ib: function(arg0, arg1) {
arg0.binding = arg1 >>> 0;
},
Xe: function(arg0, arg1) {
arg0.buffer = arg1;
},
Mb: function(arg0, arg1) {
arg0.buffer = arg1;
},
pa: function(arg0, arg1) {
arg0.cache = __wbindgen_enum_RequestCache[arg1];
},
wb: function(arg0, arg1, arg2) {
arg0.code = getStringFromWasm0(arg1, arg2);
},
Eb: function(arg0, arg1) {
arg0.compute = arg1;
},
se: function(arg0, arg1) {
arg0.count = arg1 >>> 0;
},
na: function(arg0, arg1) {
arg0.credentials = __wbindgen_enum_RequestCredentials[arg1];
},
oh: function(arg0, arg1) {
arg0.depthOrArrayLayers = arg1 >>> 0;
},
Di: function(arg0, arg1) {
arg0.device = arg1;
},
Fe: function(arg0, arg1) {
arg0.dimension = __wbindgen_enum_GpuTextureDimension[arg1];
},
kc: function(arg0, arg1, arg2) {
arg0.download = getStringFromWasm0(arg1, arg2);
},
vh: function(arg0, arg1) {
arg0.endOfPassWriteIndex = arg1 >>> 0;
},
Qb: function(arg0, arg1, arg2) {
arg0.entries = getArrayJsValueViewFromWasm0(arg1, arg2);
},
Cb: function(arg0, arg1, arg2) {
arg0.entryPoint = getStringFromWasm0(arg1, arg2);
},
Pf: function(arg0, arg1, arg2) {
arg0.set(getArrayU8FromWasm0(arg1, arg2));
},
yi: function(arg0, arg1, arg2) {
arg0.fillStyle = getStringFromWasm0(arg1, arg2);
},
Ae: function(arg0, arg1) {
arg0.format = __wbindgen_enum_GpuTextureFormat[arg1];
},
Ei: function(arg0, arg1) {
arg0.format = __wbindgen_enum_GpuTextureFormat[arg1];
},
ug: function() { return handleError(function (arg0, arg1, arg2) {
arg0.hash = getStringFromWasm0(arg1, arg2);
}, arguments); },
ua: function(arg0, arg1) {
arg0.headers = arg1;
},
nh: function(arg0, arg1) {
arg0.height = arg1 >>> 0;
},
Jd: function(arg0, arg1) {
arg0.height = arg1 >>> 0;
},
jc: function(arg0, arg1, arg2) {
arg0.href = getStringFromWasm0(arg1, arg2);
},
Ac: function() { return handleError(function (arg0, arg1, arg2) {
arg0.href = getStringFromWasm0(arg1, arg2);
}, arguments); },
sf: function(arg0, arg1, arg2) {
arg0.innerHTML = getStringFromWasm0(arg1, arg2);
},
Td: function(arg0, arg1) {
arg0.keyPath = arg1;
},
Mh: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Bh: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Sb: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
sh: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
zb: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Fb: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
lb: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
ue: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Ee: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Rb: function(arg0, arg1) {
arg0.layout = arg1;
},
Db: function(arg0, arg1) {
arg0.layout = __wbindgen_enum_GpuAutoLayoutMode[arg1];
},
Lh: function(arg0, arg1) {
arg0.mappedAtCreation = arg1 !== 0;
},
Ge: function(arg0, arg1) {
arg0.mipLevelCount = arg1 >>> 0;
},
Re: function(arg0, arg1) {
arg0.mipLevel = arg1 >>> 0;
},
Bb: function(arg0, arg1) {
arg0.module = arg1;
},
$d: function(arg0, arg1) {
arg0.multiEntry = arg1 !== 0;
},
Cc: function(arg0, arg1) {
arg0.muted = arg1 !== 0;
},
be: function(arg0, arg1, arg2) {
arg0.name = getStringFromWasm0(arg1, arg2);
},
ia: function(arg0, arg1, arg2) {
arg0.nodeValue = arg1 === 0 ? undefined : getStringFromWasm0(arg1, arg2);
},
Ze: function(arg0, arg1) {
arg0.offset = arg1;
},
Nb: function(arg0, arg1) {
arg0.offset = arg1;
},
Cj: function(arg0, arg1) {
arg0.onabort = arg1;
},
Dj: function(arg0, arg1) {
arg0.oncomplete = arg1;
},
vc: function(arg0, arg1) {
arg0.oncontrollerchange = arg1;
},
x: function(arg0, arg1) {
arg0.onended = arg1;
},
bb: function(arg0, arg1) {
arg0.onerror = arg1;
},
Ya: function(arg0, arg1) {
arg0.onerror = arg1;
},
Fj: function(arg0, arg1) {
arg0.onerror = arg1;
},
bj: function(arg0, arg1) {
arg0.onmessage = arg1;
},
bf: function(arg0, arg1) {
arg0.onmessage = arg1;
},
Xa: function(arg0, arg1) {
arg0.onmessage = arg1;
},
mb: function(arg0, arg1) {
arg0.onsuccess = arg1;
},
qb: function(arg0, arg1) {
arg0.onuncapturederror = arg1;
},
ne: function(arg0, arg1) {
arg0.onupgradeneeded = arg1;
},
oe: function(arg0, arg1) {
arg0.onversionchange = arg1;
},
Ve: function(arg0, arg1) {
arg0.origin = arg1;
},
Za: function(arg0, arg1) {
arg0.powerPreference = __wbindgen_enum_GpuPowerPreference[arg1];
},
Gg: function(arg0, arg1) {
arg0.quality = arg1;
},
th: function(arg0, arg1) {
arg0.querySet = arg1;
},
L: function(arg0, arg1) {
arg0.readable = arg1;
},
oa: function(arg0, arg1) {
arg0.referrerPolicy = __wbindgen_enum_ReferrerPolicy[arg1];
},
kb: function(arg0, arg1, arg2) {
arg0.requiredFeatures = getArrayJsValueViewFromWasm0(arg1, arg2);
},
jb: function(arg0, arg1) {
arg0.requiredLimits = arg1;
},
Kb: function(arg0, arg1) {
arg0.resource = arg1;
},
Pb: function(arg0, arg1) {
arg0.resource = arg1;
},
Lb: function(arg0, arg1) {
arg0.resource = arg1;
},
He: function(arg0, arg1) {
arg0.sampleCount = arg1 >>> 0;
},
_b: function(arg0, arg1) {
arg0.scrollTop = arg1;
},
ra: function(arg0, arg1) {
arg0.signal = arg1;
},
Ob: function(arg0, arg1) {
arg0.size = arg1;
},
Jh: function(arg0, arg1) {
arg0.size = arg1;
},
Be: function(arg0, arg1) {
arg0.size = arg1;
},
z: function(arg0, arg1) {
arg0.srcObject = arg1;
},
Qe: function(arg0, arg1) {
arg0.texture = arg1;
},
xh: function(arg0, arg1) {
arg0.timestampWrites = arg1;
},
ie: function(arg0, arg1, arg2) {
arg0.title = getStringFromWasm0(arg1, arg2);
},
Ta: function(arg0, arg1) {
arg0.type = __wbindgen_enum_WorkerType[arg1];
},
Oj: function(arg0, arg1, arg2) {
arg0.type = getStringFromWasm0(arg1, arg2);
},
te: function(arg0, arg1) {
arg0.type = __wbindgen_enum_GpuQueryType[arg1];
},
vg: function(arg0, arg1, arg2) {
arg0.type = getStringFromWasm0(arg1, arg2);
},
ka: function(arg0, arg1, arg2) {
arg0.type = getStringFromWasm0(arg1, arg2);
},
_d: function(arg0, arg1) {
arg0.unique = arg1 !== 0;
},
Oe: function(arg0, arg1) {
arg0.usage = arg1 >>> 0;
},
Kh: function(arg0, arg1) {
arg0.usage = arg1 >>> 0;
},
De: function(arg0, arg1) {
arg0.usage = arg1 >>> 0;
},
F: function(arg0, arg1, arg2) {
arg0.value = getStringFromWasm0(arg1, arg2);
},
Oc: function(arg0, arg1) {
arg0.video = arg1;
},
Ie: function(arg0, arg1, arg2) {
arg0.viewFormats = getArrayJsValueViewFromWasm0(arg1, arg2);
},
Id: function(arg0, arg1) {
arg0.width = arg1 >>> 0;
},
mh: function(arg0, arg1) {
arg0.width = arg1 >>> 0;
},
M: function(arg0, arg1) {
arg0.writable = arg1;
},
Se: function(arg0, arg1) {
arg0.x = arg1 >>> 0;
},
Te: function(arg0, arg1) {
arg0.y = arg1 >>> 0;
},
Ue: function(arg0, arg1) {
arg0.z = arg1 >>> 0;
},
$b: function(arg0) {
const ret = arg0.shiftKey;
return ret;
},
od: function(arg0) {
const ret = arg0.shiftKey;
return ret;
},
qa: function(arg0) {
const ret = arg0.signal;
return ret;
},
Qf: function(arg0) {
const ret = arg0.size;
return ret;
},
Pa: function(arg0, arg1) {
const ret = arg1.slice();
const ptr1 = passArrayJsValueToWasm0(ret, wasm.zk);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ch: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.slice(arg1, arg2);
return ret;
}, arguments); },
y: function(arg0) {
const ret = arg0.srcObject;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
xb: function(arg0, arg1) {
const ret = arg1.stack;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
zc: function() {
const ret = typeof globalThis === 'undefined' ? undefined : globalThis;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
oc: function() {
const ret = typeof global === 'undefined' ? undefined : global;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
tf: function(arg0) {
const ret = import.meta.url;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Vc: function() {
const ret = typeof self === 'undefined' ? undefined : self;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Kc: function() {
const ret = typeof window === 'undefined' ? undefined : window;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
za: function(arg0, arg1) {
const ret = arg1.statusText;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ya: function(arg0) {
const ret = arg0.status;
return ret;
},
ac: function(arg0) {
arg0.stopPropagation();
},
B: function(arg0) {
arg0.stop();
},
ea: function(arg0) {
const ret = arg0.storage;
return ret;
},
N: function(arg0) {
const ret = arg0.stream();
return ret;
},
Od: function() { return handleError(function (arg0) {
const ret = JSON.stringify(arg0);
return ret;
}, arguments); },
uj: function(arg0) {
const ret = arg0.style;
return ret;
},
eb: function(arg0) {
const ret = arg0.subgroupMaxSize;
return ret;
},
db: function(arg0) {
const ret = arg0.subgroupMinSize;
return ret;
},
Qa: function(arg0, arg1, arg2) {
arg0.submit(getArrayJsValueViewFromWasm0(arg1, arg2));
},
cg: function(arg0, arg1) {
const ret = arg1.tagName;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ih: function(arg0) {
const ret = arg0.target;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Ja: function(arg0) {
arg0.terminate();
},
pb: function(arg0, arg1) {
const ret = arg0.then(arg1);
return ret;
},
Ih: function(arg0, arg1, arg2) {
const ret = arg0.then(arg1, arg2);
return ret;
},
ge: function(arg0, arg1) {
const ret = arg0.then(arg1);
return ret;
},
fe: function() { return handleError(function (arg0, arg1) {
const ret = arg1.toDataURL();
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
gc: function(arg0, arg1, arg2, arg3) {
const ret = arg0.toLocaleString(getStringFromWasm0(arg1, arg2), arg3);
return ret;
},
Jb: function(arg0) {
const ret = arg0.toString();
return ret;
},
ad: function(arg0) {
const ret = arg0.top;
return ret;
},
zg: function(arg0) {
const ret = arg0.transaction;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Kj: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.transaction(arg1, __wbindgen_enum_IdbTransactionMode[arg2]);
return ret;
}, arguments); },
kd: function(arg0) {
const ret = arg0.types;
return ret;
},
Gi: function(arg0) {
arg0.unconfigure();
},
Yd: function(arg0) {
const ret = arg0.unique;
return ret;
},
Na: function(arg0) {
arg0.unmap();
},
de: function() { return handleError(function (arg0, arg1) {
const ret = arg1.userAgent;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
Ph: function(arg0) {
const ret = arg0.valueOf();
return ret;
},
Fa: function(arg0, arg1) {
const ret = arg1.value;
const ptr1 = passStringToWasm0(ret, wasm.zk, wasm.Ak);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
xj: function(arg0) {
const ret = arg0.videoHeight;
return ret;
},
wj: function(arg0) {
const ret = arg0.videoWidth;
return ret;
},
Kf: function(arg0) {
const ret = arg0.view;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
fg: function(arg0) {
console.warn(arg0);
},
xd: function() { return handleError(function (arg0) {
const ret = arg0.webkitGetAsEntry();
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
yj: function(arg0) {
const ret = arg0.width;
return ret;
},
Gd: function(arg0) {
const ret = arg0.width;
return ret;
},
tc: function(arg0) {
const ret = arg0.width;
return ret;
},
Wi: function(arg0) {
const ret = arg0.width;
return ret;
},
Fh: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4, arg5, arg6) {
arg0.writeBuffer(arg1, arg2, getArrayU8FromWasm0(arg3, arg4), arg5, arg6);
}, arguments); },
Zc: function(arg0, arg1, arg2) {
const ret = arg0.writeText(getStringFromWasm0(arg1, arg2));
return ret;
},
a: function(arg0, arg1) {
const ret = makeClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h22d87e6cd09851f5E);
return ret;
},
b: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E);
return ret;
},
c: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h72d544e5683ad26eE);
return ret;
},
d: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17hff84eb51fb89aa78E);
return ret;
},
e: function(arg0, arg1) {
const ret = makeClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h3728128c660b4ed1E);
return ret;
},
f: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E_16);
return ret;
},
g: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h49a75cd2d89a3533E);
return ret;
},
h: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h62cd3688c3b94dccE);
return ret;
},
i: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E_19);
return ret;
},
j: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E_20);
return ret;
},
k: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h49a75cd2d89a3533E_21);
return ret;
},
l: function(arg0, arg1) {
const ret = makeClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h3728128c660b4ed1E_22);
return ret;
},
m: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h49a75cd2d89a3533E_23);
return ret;
},
n: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h62cd3688c3b94dccE_24);
return ret;
},
o: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17h62cd3688c3b94dccE_25);
return ret;
},
p: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, _ZN12wasm_bindgen7convert8closures1_6invoke17haf3ef63eab253b30E);
return ret;
},
q: function(arg0) {
const ret = arg0;
return ret;
},
r: function(arg0, arg1) {
const ret = getArrayU8FromWasm0(arg0, arg1);
return ret;
},
s: function(arg0, arg1) {
const ret = getStringFromWasm0(arg0, arg1);
return ret;
},
Vi: function() {
const table = wasm.Dk;
table.set(0, undefined);
table.set(1024, undefined);
table.set(1025, null);
table.set(1026, true);
table.set(1027, false);
},
};
return {
__proto__: null,
"a": { ...import0, Mi: import1.__wasm_split_load_camera, Ni: import1.__wasm_split_load_files, Oi: import1.__wasm_split_load_studio, Pi: import1.__wasm_split_load_benchmark, Qi: import1.__wasm_split_load_pictures, Ri: import1.__wasm_split_load_training, Si: import1.__wasm_split_load_export, Ti: import1.__wasm_split_load_keras },
"./parts-89c0e39d19fa8bb6.js": import2,
"./parts-89c0e39d19fa8bb6.js": import3,
"./parts-89c0e39d19fa8bb6.js": import4,
"./parts-89c0e39d19fa8bb6.js": import5,
"./parts-89c0e39d19fa8bb6.js": import6,
"./parts-89c0e39d19fa8bb6.js": import7,
"./parts-89c0e39d19fa8bb6.js": import8,
};
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17haf3ef63eab253b30E(arg0, arg1) {
wasm.yk(arg0, arg1);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E(arg0, arg1, arg2) {
wasm.ok(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h72d544e5683ad26eE(arg0, arg1, arg2) {
wasm.xk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h3728128c660b4ed1E(arg0, arg1, arg2) {
wasm.sk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E_16(arg0, arg1, arg2) {
wasm.pk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h49a75cd2d89a3533E(arg0, arg1, arg2) {
wasm.uk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E_19(arg0, arg1, arg2) {
wasm.qk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h2b8fece134b2cdb6E_20(arg0, arg1, arg2) {
wasm.rk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h49a75cd2d89a3533E_21(arg0, arg1, arg2) {
wasm.vk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h3728128c660b4ed1E_22(arg0, arg1, arg2) {
wasm.tk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h49a75cd2d89a3533E_23(arg0, arg1, arg2) {
wasm.wk(arg0, arg1, arg2);
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h22d87e6cd09851f5E(arg0, arg1, arg2) {
const ret = wasm.nk(arg0, arg1, arg2);
return ret;
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17hff84eb51fb89aa78E(arg0, arg1, arg2) {
const ret = wasm.mk(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h62cd3688c3b94dccE(arg0, arg1, arg2) {
const ret = wasm.jk(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h62cd3688c3b94dccE_24(arg0, arg1, arg2) {
const ret = wasm.kk(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h62cd3688c3b94dccE_25(arg0, arg1, arg2) {
const ret = wasm.lk(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function _ZN12wasm_bindgen7convert8closures1_6invoke17h2999ce531aff46b7E(arg0, arg1, arg2, arg3) {
wasm.ik(arg0, arg1, arg2, arg3);
}
const __wbindgen_enum_GpuAutoLayoutMode = ["auto"];
const __wbindgen_enum_GpuDeviceLostReason = ["unknown", "destroyed"];
const __wbindgen_enum_GpuPowerPreference = ["low-power", "high-performance"];
const __wbindgen_enum_GpuQueryType = ["occlusion", "timestamp"];
const __wbindgen_enum_GpuTextureAspect = ["all", "stencil-only", "depth-only"];
const __wbindgen_enum_GpuTextureDimension = ["1d", "2d", "3d"];
const __wbindgen_enum_GpuTextureFormat = ["r8unorm", "r8snorm", "r8uint", "r8sint", "r16unorm", "r16snorm", "r16uint", "r16sint", "r16float", "rg8unorm", "rg8snorm", "rg8uint", "rg8sint", "r32uint", "r32sint", "r32float", "rg16unorm", "rg16snorm", "rg16uint", "rg16sint", "rg16float", "rgba8unorm", "rgba8unorm-srgb", "rgba8snorm", "rgba8uint", "rgba8sint", "bgra8unorm", "bgra8unorm-srgb", "rgb9e5ufloat", "rgb10a2uint", "rgb10a2unorm", "rg11b10ufloat", "rg32uint", "rg32sint", "rg32float", "rgba16unorm", "rgba16snorm", "rgba16uint", "rgba16sint", "rgba16float", "rgba32uint", "rgba32sint", "rgba32float", "stencil8", "depth16unorm", "depth24plus", "depth24plus-stencil8", "depth32float", "depth32float-stencil8", "bc1-rgba-unorm", "bc1-rgba-unorm-srgb", "bc2-rgba-unorm", "bc2-rgba-unorm-srgb", "bc3-rgba-unorm", "bc3-rgba-unorm-srgb", "bc4-r-unorm", "bc4-r-snorm", "bc5-rg-unorm", "bc5-rg-snorm", "bc6h-rgb-ufloat", "bc6h-rgb-float", "bc7-rgba-unorm", "bc7-rgba-unorm-srgb", "etc2-rgb8unorm", "etc2-rgb8unorm-srgb", "etc2-rgb8a1unorm", "etc2-rgb8a1unorm-srgb", "etc2-rgba8unorm", "etc2-rgba8unorm-srgb", "eac-r11unorm", "eac-r11snorm", "eac-rg11unorm", "eac-rg11snorm", "astc-4x4-unorm", "astc-4x4-unorm-srgb", "astc-5x4-unorm", "astc-5x4-unorm-srgb", "astc-5x5-unorm", "astc-5x5-unorm-srgb", "astc-6x5-unorm", "astc-6x5-unorm-srgb", "astc-6x6-unorm", "astc-6x6-unorm-srgb", "astc-8x5-unorm", "astc-8x5-unorm-srgb", "astc-8x6-unorm", "astc-8x6-unorm-srgb", "astc-8x8-unorm", "astc-8x8-unorm-srgb", "astc-10x5-unorm", "astc-10x5-unorm-srgb", "astc-10x6-unorm", "astc-10x6-unorm-srgb", "astc-10x8-unorm", "astc-10x8-unorm-srgb", "astc-10x10-unorm", "astc-10x10-unorm-srgb", "astc-12x10-unorm", "astc-12x10-unorm-srgb", "astc-12x12-unorm", "astc-12x12-unorm-srgb"];
const __wbindgen_enum_IdbTransactionMode = ["readonly", "readwrite", "versionchange", "readwriteflush", "cleanup"];
const __wbindgen_enum_MediaDeviceKind = ["audioinput", "audiooutput", "videoinput"];
const __wbindgen_enum_MediaStreamTrackState = ["live", "ended"];
const __wbindgen_enum_ReadableStreamType = ["bytes"];
const __wbindgen_enum_ReferrerPolicy = ["", "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "unsafe-url", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
const __wbindgen_enum_RequestCache = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"];
const __wbindgen_enum_RequestCredentials = ["omit", "same-origin", "include"];
const __wbindgen_enum_WorkerType = ["classic", "module"];
const IntoUnderlyingByteSourceFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Qj(ptr, 1));
const IntoUnderlyingSinkFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Rj(ptr, 1));
const IntoUnderlyingSourceFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Sj(ptr, 1));
function addToExternrefTable0(obj) {
const idx = wasm.Ck();
wasm.Dk.set(idx, obj);
return idx;
}
const CLOSURE_DTORS = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(state => wasm.Gk(state.a, state.b));
function debugString(val) {
switch (typeof val) {
case 'number':
case 'boolean':
case 'undefined':
return `${val}`;
case 'string':
return JSON.stringify(val);
case 'bigint':
return `${val}n`;
case 'symbol':
return val.description !== undefined
? `Symbol(${val.description})`
: 'Symbol';
case 'function':
return typeof val.name === 'string' && val.name !== ''
? `Function(${val.name})`
: 'Function';
case 'object': {
if (val === null) {
return 'null';
}
if (Array.isArray(val)) {
return '[' + Array.from(val, debugString).join(', ') + ']';
}
if (val instanceof Error) {
return `${val.name}: ${val.message}\n${val.stack}`;
}
const toStringOutput = toString.call(val);
const className = /\[object ([^\]]+)\]/.exec(toStringOutput)?.[1];
if (className === undefined) {
return toStringOutput;
}
if (className === 'Object') {
try {
return 'Object(' + JSON.stringify(val) + ')';
} catch (_) {
return 'Object';
}
}
return className;
}
}
}
function getArrayF64FromWasm0(ptr, len) {
ptr = ptr >>> 0;
return getFloat64ArrayMemory0().subarray(ptr / 8, ptr / 8 + len);
}
function getArrayJsValueViewFromWasm0(ptr, len) {
ptr = ptr >>> 0;
const mem = getDataViewMemory0();
const result = [];
for (let i = ptr; i < ptr + 4 * len; i += 4) {
result.push(wasm.Dk.get(mem.getUint32(i, true)));
}
return result;
}
function getArrayU8FromWasm0(ptr, len) {
ptr = ptr >>> 0;
return getUint8ArrayMemory0().subarray(ptr / 1, ptr / 1 + len);
}
function getClampedArrayU8FromWasm0(ptr, len) {
ptr = ptr >>> 0;
return getUint8ClampedArrayMemory0().subarray(ptr / 1, ptr / 1 + len);
}
let cachedDataViewMemory0 = null;
function getDataViewMemory0() {
if (cachedDataViewMemory0 === null || cachedDataViewMemory0.buffer.detached === true || (cachedDataViewMemory0.buffer.detached === undefined && cachedDataViewMemory0.buffer !== wasm.hk.buffer)) {
cachedDataViewMemory0 = new DataView(wasm.hk.buffer);
}
return cachedDataViewMemory0;
}
let cachedFloat64ArrayMemory0 = null;
function getFloat64ArrayMemory0() {
if (cachedFloat64ArrayMemory0 === null || cachedFloat64ArrayMemory0.byteLength === 0) {
cachedFloat64ArrayMemory0 = new Float64Array(wasm.hk.buffer);
}
return cachedFloat64ArrayMemory0;
}
function getStringFromWasm0(ptr, len) {
ptr = ptr >>> 0;
return decodeText(getUint8ArrayMemory0().subarray(ptr, ptr + len));
}
let cachedUint8ArrayMemory0 = null;
function getUint8ArrayMemory0() {
if (cachedUint8ArrayMemory0 === null || cachedUint8ArrayMemory0.byteLength === 0) {
cachedUint8ArrayMemory0 = new Uint8Array(wasm.hk.buffer);
}
return cachedUint8ArrayMemory0;
}
let cachedUint8ClampedArrayMemory0 = null;
function getUint8ClampedArrayMemory0() {
if (cachedUint8ClampedArrayMemory0 === null || cachedUint8ClampedArrayMemory0.byteLength === 0) {
cachedUint8ClampedArrayMemory0 = new Uint8ClampedArray(wasm.hk.buffer);
}
return cachedUint8ClampedArrayMemory0;
}
function handleError(f, args) {
try {
return f.apply(this, args);
} catch (e) {
const idx = addToExternrefTable0(e);
wasm.Ek(idx);
}
}
function isLikeNone(x) {
return x === undefined || x === null;
}
function makeClosure(arg0, arg1, f) {
const state = { a: arg0, b: arg1, cnt: 1 };
const real = (...args) => {
state.cnt++;
try {
return f(state.a, state.b, ...args);
} finally {
real._wbg_cb_unref();
}
};
real._wbg_cb_unref = () => {
if (--state.cnt === 0) {
wasm.Gk(state.a, state.b);
state.a = 0;
CLOSURE_DTORS.unregister(state);
}
};
CLOSURE_DTORS.register(real, state, state);
return real;
}
function makeMutClosure(arg0, arg1, f) {
const state = { a: arg0, b: arg1, cnt: 1 };
const real = (...args) => {
state.cnt++;
const a = state.a;
state.a = 0;
try {
return f(a, state.b, ...args);
} finally {
state.a = a;
real._wbg_cb_unref();
}
};
real._wbg_cb_unref = () => {
if (--state.cnt === 0) {
wasm.Gk(state.a, state.b);
state.a = 0;
CLOSURE_DTORS.unregister(state);
}
};
CLOSURE_DTORS.register(real, state, state);
return real;
}
function passArray8ToWasm0(arg, malloc) {
const ptr = malloc(arg.length * 1, 1) >>> 0;
getUint8ArrayMemory0().set(arg, ptr / 1);
WASM_VECTOR_LEN = arg.length;
return ptr;
}
function passArrayJsValueToWasm0(array, malloc) {
const ptr = malloc(array.length * 4, 4) >>> 0;
for (let i = 0; i < array.length; i++) {
const add = addToExternrefTable0(array[i]);
getDataViewMemory0().setUint32(ptr + 4 * i, add, true);
}
WASM_VECTOR_LEN = array.length;
return ptr;
}
function passStringToWasm0(arg, malloc, realloc) {
if (realloc === undefined) {
const buf = cachedTextEncoder.encode(arg);
const ptr = malloc(buf.length, 1) >>> 0;
getUint8ArrayMemory0().subarray(ptr, ptr + buf.length).set(buf);
WASM_VECTOR_LEN = buf.length;
return ptr;
}
let len = arg.length;
let ptr = malloc(len, 1) >>> 0;
const mem = getUint8ArrayMemory0();
let offset = 0;
for (; offset < len; offset++) {
const code = arg.charCodeAt(offset);
if (code > 0x7F) break;
mem[ptr + offset] = code;
}
if (offset !== len) {
if (offset !== 0) {
arg = arg.slice(offset);
}
ptr = realloc(ptr, len, len = offset + arg.length * 3, 1) >>> 0;
const view = getUint8ArrayMemory0().subarray(ptr + offset, ptr + len);
const ret = cachedTextEncoder.encodeInto(arg, view);
offset += ret.written;
ptr = realloc(ptr, len, offset, 1) >>> 0;
}
WASM_VECTOR_LEN = offset;
return ptr;
}
function takeFromExternrefTable0(idx) {
const value = wasm.Dk.get(idx);
wasm.Hk(idx);
return value;
}
let cachedTextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
cachedTextDecoder.decode();
const MAX_SAFARI_DECODE_BYTES = 2146435072;
let numBytesDecoded = 0;
function decodeText(bytes) {
numBytesDecoded += bytes.length;
if (numBytesDecoded >= MAX_SAFARI_DECODE_BYTES) {
cachedTextDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
cachedTextDecoder.decode();
numBytesDecoded = bytes.length;
}
return cachedTextDecoder.decode(bytes);
}
const cachedTextEncoder = new TextEncoder();
if (!('encodeInto' in cachedTextEncoder)) {
cachedTextEncoder.encodeInto = function (arg, view) {
const buf = cachedTextEncoder.encode(arg);
view.set(buf);
return {
read: arg.length,
written: buf.length
};
};
}
let WASM_VECTOR_LEN = 0;
let wasmModule, wasmInstance, wasm;
function __wbg_finalize_init(instance, module) {
wasmInstance = instance;
wasm = instance.exports;
wasmModule = module;
cachedDataViewMemory0 = null;
cachedFloat64ArrayMemory0 = null;
cachedUint8ArrayMemory0 = null;
cachedUint8ClampedArrayMemory0 = null;
wasm.Ik();
return wasm;
}
async function __wbg_load(module, imports) {
if (typeof Response === 'function' && module instanceof Response) {
if (!module.ok) {
throw new Error(`failed to fetch Wasm: ${module.status} ${module.statusText} fetching '${module.url}'`);
}
if (typeof WebAssembly.instantiateStreaming === 'function') {
try {
return await WebAssembly.instantiateStreaming(module, imports);
} catch (e) {
const validResponse = expectedResponseType(module.type);
if (validResponse && module.headers.get('Content-Type') !== 'application/wasm') {
console.warn("`WebAssembly.instantiateStreaming` failed because your server does not serve Wasm with `application/wasm` MIME type. Falling back to `WebAssembly.instantiate` which is slower. Original error:\n", e);
} else { throw e; }
}
}
const bytes = await module.arrayBuffer();
return await WebAssembly.instantiate(bytes, imports);
} else {
const instance = await WebAssembly.instantiate(module, imports);
if (instance instanceof WebAssembly.Instance) {
return { instance, module };
} else {
return instance;
}
}
function expectedResponseType(type) {
switch (type) {
case 'basic': case 'cors': case 'default': return true;
}
return false;
}
}
function initSync(module) {
if (wasm !== undefined) return wasm;
if (module !== undefined) {
if (Object.getPrototypeOf(module) === Object.prototype) {
({module} = module)
} else {
console.warn('using deprecated parameters for `initSync()`; pass a single object instead')
}
}
const imports = __wbg_get_imports();
if (!(module instanceof WebAssembly.Module)) {
module = new WebAssembly.Module(module);
}
const instance = new WebAssembly.Instance(module, imports);
return __wbg_finalize_init(instance, module);
}
let __wbg_init_promise;
async function __wbg_init(module_or_path) {
if (wasm !== undefined) return wasm;
if (__wbg_init_promise === undefined) {
__wbg_init_promise = __wbg_init_once(module_or_path);
__wbg_init_promise.catch(() => { __wbg_init_promise = undefined; });
}
return __wbg_init_promise;
}
async function __wbg_init_once(module_or_path) {
if (module_or_path !== undefined) {
if (Object.getPrototypeOf(module_or_path) === Object.prototype) {
({module_or_path} = module_or_path)
} else {
console.warn('using deprecated parameters for the initialization function; pass a single object instead')
}
}
if (module_or_path === undefined) {
module_or_path = new URL('reslab-89c0e39d19fa8bb6_bg.wasm', import.meta.url);
}
const imports = __wbg_get_imports();
if (typeof module_or_path === 'string' || (typeof Request === 'function' && module_or_path instanceof Request) || (typeof URL === 'function' && module_or_path instanceof URL)) {
module_or_path = fetch(module_or_path);
}
const { instance, module } = await __wbg_load(await module_or_path, imports);
return __wbg_finalize_init(instance, module);
}
export { initSync, __wbg_init as default };
