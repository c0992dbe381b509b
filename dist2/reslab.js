export class Classifier {
static __wrap(ptr) {
const obj = Object.create(Classifier.prototype);
obj.__wbg_ptr = ptr;
ClassifierFinalization.register(obj, obj.__wbg_ptr, obj);
return obj;
}
__destroy_into_raw() {
const ptr = this.__wbg_ptr;
this.__wbg_ptr = 0;
ClassifierFinalization.unregister(this);
return ptr;
}
free() {
const ptr = this.__destroy_into_raw();
wasm.Kd(ptr, 0);
}
get architecture() {
let deferred1_0;
let deferred1_1;
try {
const ret = wasm.Od(this.__wbg_ptr);
deferred1_0 = ret[0];
deferred1_1 = ret[1];
return getStringFromWasm0(ret[0], ret[1]);
} finally {
wasm.ve(deferred1_0, deferred1_1, 1);
}
}
get assumed() {
const ret = wasm.Pd(this.__wbg_ptr);
var v1 = getArrayJsValueFromWasm0(ret[0], ret[1]);
wasm.ve(ret[0], ret[1] * 4, 4);
return v1;
}
classify(source, options) {
const ret = wasm.Qd(this.__wbg_ptr, source, options);
return ret;
}
get device() {
const ret = wasm.Rd(this.__wbg_ptr);
return ret;
}
get inputSize() {
const ret = wasm.Sd(this.__wbg_ptr);
return ret;
}
get labels() {
const ret = wasm.Td(this.__wbg_ptr);
var v1 = getArrayJsValueFromWasm0(ret[0], ret[1]);
wasm.ve(ret[0], ret[1] * 4, 4);
return v1;
}
static load(source, options) {
const ret = wasm.Vd(source, options);
return ret;
}
get name() {
let deferred1_0;
let deferred1_1;
try {
const ret = wasm.Wd(this.__wbg_ptr);
deferred1_0 = ret[0];
deferred1_1 = ret[1];
return getStringFromWasm0(ret[0], ret[1]);
} finally {
wasm.ve(deferred1_0, deferred1_1, 1);
}
}
get notes() {
const ret = wasm.Xd(this.__wbg_ptr);
var v1 = getArrayJsValueFromWasm0(ret[0], ret[1]);
wasm.ve(ret[0], ret[1] * 4, 4);
return v1;
}
}
if (Symbol.dispose) Classifier.prototype[Symbol.dispose] = Classifier.prototype.free;
export class IntoUnderlyingByteSource {
__destroy_into_raw() {
const ptr = this.__wbg_ptr;
this.__wbg_ptr = 0;
IntoUnderlyingByteSourceFinalization.unregister(this);
return ptr;
}
free() {
const ptr = this.__destroy_into_raw();
wasm.Ld(ptr, 0);
}
get autoAllocateChunkSize() {
const ret = wasm.Yd(this.__wbg_ptr);
return ret >>> 0;
}
cancel() {
const ptr = this.__destroy_into_raw();
wasm.Zd(ptr);
}
pull(controller) {
const ret = wasm._d(this.__wbg_ptr, controller);
return ret;
}
start(controller) {
wasm.$d(this.__wbg_ptr, controller);
}
get type() {
const ret = wasm.ae(this.__wbg_ptr);
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
wasm.Md(ptr, 0);
}
abort(reason) {
const ptr = this.__destroy_into_raw();
const ret = wasm.be(ptr, reason);
return ret;
}
close() {
const ptr = this.__destroy_into_raw();
const ret = wasm.ce(ptr);
return ret;
}
write(chunk) {
const ret = wasm.de(this.__wbg_ptr, chunk);
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
wasm.Nd(ptr, 0);
}
cancel() {
const ptr = this.__destroy_into_raw();
wasm.ee(ptr);
}
pull(controller) {
const ret = wasm.fe(this.__wbg_ptr, controller);
return ret;
}
}
if (Symbol.dispose) IntoUnderlyingSource.prototype[Symbol.dispose] = IntoUnderlyingSource.prototype.free;
function __wbg_get_imports() {
const import0 = {
__proto__: null,
ia: function(arg0, arg1) {
const ret = Error(getStringFromWasm0(arg0, arg1));
return ret;
},
Kb: function(arg0) {
const ret = arg0.Window;
return ret;
},
Lb: function(arg0) {
const ret = arg0.WorkerGlobalScope;
return ret;
},
ha: function(arg0, arg1) {
const ret = debugString(arg1);
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ja: function(arg0) {
const ret = !arg0;
return ret;
},
ka: function(arg0) {
const ret = typeof(arg0) === 'function';
return ret;
},
la: function(arg0) {
const ret = arg0 === null;
return ret;
},
ma: function(arg0) {
const val = arg0;
const ret = typeof(val) === 'object' && val !== null;
return ret;
},
na: function(arg0) {
const ret = typeof(arg0) === 'string';
return ret;
},
oa: function(arg0) {
const ret = arg0 === undefined;
return ret;
},
pa: function(arg0, arg1) {
const obj = arg1;
const ret = typeof(obj) === 'number' ? obj : undefined;
getDataViewMemory0().setFloat64((arg0 >>> 0) + 8 * 1, isLikeNone(ret) ? 0 : ret, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, !isLikeNone(ret), true);
},
qa: function(arg0, arg1) {
const obj = arg1;
const ret = typeof(obj) === 'string' ? obj : undefined;
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.te, wasm.ue);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ra: function(arg0, arg1) {
throw new Error(getStringFromWasm0(arg0, arg1));
},
sa: function(arg0) {
const ret = typeof arg0;
return ret;
},
ta: function(arg0) {
arg0._wbg_cb_unref();
},
wa: function(arg0) {
const ret = arg0.arrayBuffer();
return ret;
},
rc: function(arg0, arg1) {
const ret = arg0.beginComputePass(arg1);
return ret;
},
ob: function(arg0) {
const ret = arg0.body;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
O: function(arg0) {
const ret = arg0.buffer;
return ret;
},
ab: function(arg0) {
const ret = arg0.byobRequest;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
P: function(arg0) {
const ret = arg0.byteLength;
return ret;
},
Q: function(arg0) {
const ret = arg0.byteOffset;
return ret;
},
C: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
const ret = arg0.call(arg1, arg2, arg3, arg4);
return ret;
}, arguments); },
A: function() { return handleError(function (arg0, arg1) {
const ret = arg0.call(arg1);
return ret;
}, arguments); },
B: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.call(arg1, arg2);
return ret;
}, arguments); },
gb: function(arg0) {
const ret = arg0.cancel();
return ret;
},
ga: function(arg0) {
const ret = Classifier.__wrap(arg0);
return ret;
},
sc: function(arg0, arg1, arg2, arg3) {
arg0.clearBuffer(arg1, arg2, arg3);
},
Wa: function(arg0, arg1, arg2, arg3, arg4) {
arg0.clearRect(arg1, arg2, arg3, arg4);
},
eb: function() { return handleError(function (arg0) {
arg0.close();
}, arguments); },
Ea: function(arg0) {
arg0.close();
},
Qa: function(arg0) {
arg0.close();
},
bb: function() { return handleError(function (arg0) {
arg0.close();
}, arguments); },
oc: function() { return handleError(function (arg0, arg1) {
arg0.configure(arg1);
}, arguments); },
tc: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4, arg5) {
arg0.copyBufferToBuffer(arg1, arg2, arg3, arg4, arg5);
}, arguments); },
Fc: function(arg0, arg1) {
const ret = arg0.createBindGroup(arg1);
return ret;
},
Gc: function() { return handleError(function (arg0, arg1) {
const ret = arg0.createBuffer(arg1);
return ret;
}, arguments); },
Hc: function(arg0, arg1) {
const ret = arg0.createCommandEncoder(arg1);
return ret;
},
Ic: function(arg0, arg1) {
const ret = arg0.createComputePipeline(arg1);
return ret;
},
wb: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.createImageBitmap(arg1, arg2);
return ret;
}, arguments); },
Jc: function(arg0, arg1) {
const ret = arg0.createShaderModule(arg1);
return ret;
},
Ia: function(arg0, arg1) {
const ret = arg1.data;
const ptr1 = passArray8ToWasm0(ret, wasm.te);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Pa: function(arg0) {
const ret = arg0.data;
return ret;
},
Sb: function(arg0, arg1) {
const ret = arg1.description;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Kc: function(arg0) {
arg0.destroy();
},
bc: function(arg0) {
arg0.destroy();
},
xc: function(arg0, arg1, arg2, arg3) {
arg0.dispatchWorkgroups(arg1 >>> 0, arg2 >>> 0, arg3 >>> 0);
},
Xa: function() { return handleError(function (arg0, arg1, arg2, arg3) {
arg0.drawImage(arg1, arg2, arg3);
}, arguments); },
yc: function(arg0) {
arg0.end();
},
fb: function() { return handleError(function (arg0, arg1) {
arg0.enqueue(arg1);
}, arguments); },
Hd: function(arg0) {
const ret = arg0.error;
return ret;
},
o: function(arg0, arg1) {
let deferred0_0;
let deferred0_1;
try {
deferred0_0 = arg0;
deferred0_1 = arg1;
console.error(getStringFromWasm0(arg0, arg1));
} finally {
wasm.ve(deferred0_0, deferred0_1, 1);
}
},
Ob: function(arg0) {
const ret = arg0.features;
return ret;
},
xb: function(arg0, arg1, arg2, arg3) {
const ret = arg0.fetch(getStringFromWasm0(arg1, arg2), arg3);
return ret;
},
Ya: function(arg0, arg1, arg2, arg3, arg4) {
arg0.fillRect(arg1, arg2, arg3, arg4);
},
uc: function(arg0) {
const ret = arg0.finish();
return ret;
},
vc: function(arg0, arg1) {
const ret = arg0.finish(arg1);
return ret;
},
Bc: function(arg0, arg1) {
const ret = arg0.getBindGroupLayout(arg1 >>> 0);
return ret;
},
Ta: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getContext(getStringFromWasm0(arg1, arg2));
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
Ua: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg0.getContext(getStringFromWasm0(arg1, arg2), arg3);
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
}, arguments); },
Za: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
const ret = arg0.getImageData(arg1, arg2, arg3, arg4);
return ret;
}, arguments); },
cc: function() { return handleError(function (arg0, arg1, arg2) {
const ret = arg0.getMappedRange(arg1, arg2);
return ret;
}, arguments); },
M: function() { return handleError(function (arg0, arg1) {
const ret = Reflect.get(arg0, arg1);
return ret;
}, arguments); },
Ba: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = arg1.get(getStringFromWasm0(arg2, arg3));
var ptr1 = isLikeNone(ret) ? 0 : passStringToWasm0(ret, wasm.te, wasm.ue);
var len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
}, arguments); },
v: function(arg0, arg1) {
const ret = arg0[arg1 >>> 0];
return ret;
},
Mb: function(arg0) {
const ret = arg0.gpu;
return ret;
},
bd: function(arg0, arg1, arg2) {
const ret = arg0.has(getStringFromWasm0(arg1, arg2));
return ret;
},
pb: function(arg0) {
const ret = arg0.headers;
return ret;
},
Ja: function(arg0) {
const ret = arg0.height;
return ret;
},
Fa: function(arg0) {
const ret = arg0.height;
return ret;
},
ub: function(arg0, arg1) {
const ret = arg1.href;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Pb: function(arg0) {
const ret = arg0.info;
return ret;
},
Y: function(arg0) {
let result;
try {
result = arg0 instanceof ArrayBuffer;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
ya: function(arg0) {
let result;
try {
result = arg0 instanceof Blob;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Aa: function(arg0) {
let result;
try {
result = arg0 instanceof File;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Uc: function(arg0) {
let result;
try {
result = arg0 instanceof GPUOutOfMemoryError;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Id: function(arg0) {
let result;
try {
result = arg0 instanceof GPUValidationError;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Ha: function(arg0) {
let result;
try {
result = arg0 instanceof ImageBitmap;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
La: function(arg0) {
let result;
try {
result = arg0 instanceof ImageData;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
$a: function(arg0) {
let result;
try {
result = arg0 instanceof OffscreenCanvasRenderingContext2D;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
Z: function(arg0) {
let result;
try {
result = arg0 instanceof Promise;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
tb: function(arg0) {
let result;
try {
result = arg0 instanceof Response;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
_: function(arg0) {
let result;
try {
result = arg0 instanceof Uint8Array;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
zb: function(arg0) {
let result;
try {
result = arg0 instanceof Window;
} catch (_) {
result = false;
}
const ret = result;
return ret;
},
q: function(arg0) {
const ret = Array.isArray(arg0);
return ret;
},
Tb: function(arg0) {
const ret = arg0.isFallbackAdapter;
return ret;
},
wc: function(arg0, arg1) {
const ret = arg1.label;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
T: function(arg0) {
const ret = arg0.length;
return ret;
},
Qb: function(arg0) {
const ret = arg0.limits;
return ret;
},
Lc: function(arg0) {
const ret = arg0.lost;
return ret;
},
dc: function(arg0, arg1, arg2, arg3) {
const ret = arg0.mapAsync(arg1 >>> 0, arg2, arg3);
return ret;
},
dd: function(arg0) {
const ret = arg0.maxBindGroupsPlusVertexBuffers;
return ret;
},
cd: function(arg0) {
const ret = arg0.maxBindGroups;
return ret;
},
ed: function(arg0) {
const ret = arg0.maxBindingsPerBindGroup;
return ret;
},
fd: function(arg0) {
const ret = arg0.maxBufferSize;
return ret;
},
gd: function(arg0) {
const ret = arg0.maxColorAttachmentBytesPerSample;
return ret;
},
hd: function(arg0) {
const ret = arg0.maxColorAttachments;
return ret;
},
id: function(arg0) {
const ret = arg0.maxComputeInvocationsPerWorkgroup;
return ret;
},
jd: function(arg0) {
const ret = arg0.maxComputeWorkgroupSizeX;
return ret;
},
kd: function(arg0) {
const ret = arg0.maxComputeWorkgroupSizeY;
return ret;
},
ld: function(arg0) {
const ret = arg0.maxComputeWorkgroupSizeZ;
return ret;
},
md: function(arg0) {
const ret = arg0.maxComputeWorkgroupStorageSize;
return ret;
},
nd: function(arg0) {
const ret = arg0.maxComputeWorkgroupsPerDimension;
return ret;
},
od: function(arg0) {
const ret = arg0.maxDynamicStorageBuffersPerPipelineLayout;
return ret;
},
pd: function(arg0) {
const ret = arg0.maxDynamicUniformBuffersPerPipelineLayout;
return ret;
},
qd: function(arg0) {
const ret = arg0.maxInterStageShaderVariables;
return ret;
},
rd: function(arg0) {
const ret = arg0.maxSampledTexturesPerShaderStage;
return ret;
},
sd: function(arg0) {
const ret = arg0.maxSamplersPerShaderStage;
return ret;
},
td: function(arg0) {
const ret = arg0.maxStorageBufferBindingSize;
return ret;
},
ud: function(arg0) {
const ret = arg0.maxStorageBuffersPerShaderStage;
return ret;
},
vd: function(arg0) {
const ret = arg0.maxStorageTexturesPerShaderStage;
return ret;
},
wd: function(arg0) {
const ret = arg0.maxTextureArrayLayers;
return ret;
},
xd: function(arg0) {
const ret = arg0.maxTextureDimension1D;
return ret;
},
yd: function(arg0) {
const ret = arg0.maxTextureDimension2D;
return ret;
},
zd: function(arg0) {
const ret = arg0.maxTextureDimension3D;
return ret;
},
Ad: function(arg0) {
const ret = arg0.maxUniformBufferBindingSize;
return ret;
},
Bd: function(arg0) {
const ret = arg0.maxUniformBuffersPerShaderStage;
return ret;
},
Cd: function(arg0) {
const ret = arg0.maxVertexAttributes;
return ret;
},
Dd: function(arg0) {
const ret = arg0.maxVertexBufferArrayStride;
return ret;
},
Ed: function(arg0) {
const ret = arg0.maxVertexBuffers;
return ret;
},
Tc: function(arg0, arg1) {
const ret = arg1.message;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Rc: function(arg0, arg1) {
const ret = arg1.message;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Fd: function(arg0) {
const ret = arg0.minStorageBufferOffsetAlignment;
return ret;
},
Gd: function(arg0) {
const ret = arg0.minUniformBufferOffsetAlignment;
return ret;
},
za: function(arg0, arg1) {
const ret = arg1.name;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
Gb: function(arg0) {
const ret = arg0.navigator;
return ret;
},
yb: function(arg0) {
const ret = arg0.navigator;
return ret;
},
U: function(arg0) {
const ret = new Uint8Array(arg0);
return ret;
},
Ca: function() { return handleError(function () {
const ret = new Headers();
return ret;
}, arguments); },
Va: function() { return handleError(function (arg0, arg1) {
const ret = new OffscreenCanvas(arg0 >>> 0, arg1 >>> 0);
return ret;
}, arguments); },
r: function() {
const ret = new Array();
return ret;
},
hb: function() { return handleError(function (arg0) {
const ret = new ReadableStreamDefaultReader(arg0);
return ret;
}, arguments); },
Ma: function() { return handleError(function () {
const ret = new MessageChannel();
return ret;
}, arguments); },
ua: function() { return handleError(function () {
const ret = new AbortController();
return ret;
}, arguments); },
y: function(arg0, arg1) {
const ret = new Error(getStringFromWasm0(arg0, arg1));
return ret;
},
m: function() {
const ret = new Error();
return ret;
},
E: function() {
const ret = new Object();
return ret;
},
z: function(arg0, arg1) {
const ret = new Float32Array(getArrayF32FromWasm0(arg0, arg1));
return ret;
},
V: function(arg0, arg1) {
const ret = new Uint8Array(getArrayU8FromWasm0(arg0, arg1));
return ret;
},
F: function() {
const ret = new Object();
return ret;
},
H: function(arg0, arg1) {
try {
var state0 = {a: arg0, b: arg1};
var cb0 = (arg0, arg1) => {
const a = state0.a;
state0.a = 0;
try {
return wasm_bindgen__convert__closures_____invoke__h2999ce531aff46b7(a, state0.b, arg0, arg1);
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
vb: function() { return handleError(function (arg0, arg1, arg2, arg3) {
const ret = new URL(getStringFromWasm0(arg0, arg1), getStringFromWasm0(arg2, arg3));
return ret;
}, arguments); },
W: function(arg0, arg1, arg2) {
const ret = new Uint8Array(arg0, arg1 >>> 0, arg2 >>> 0);
return ret;
},
Ab: function() { return handleError(function (arg0, arg1, arg2) {
const ret = new Worker(getStringFromWasm0(arg0, arg1), arg2);
return ret;
}, arguments); },
xa: function() { return handleError(function (arg0) {
const ret = new Blob(arg0);
return ret;
}, arguments); },
Jb: function(arg0) {
const ret = arg0.now();
return ret;
},
s: function(arg0) {
const ret = Array.of(arg0);
return ret;
},
u: function(arg0, arg1, arg2) {
const ret = Array.of(arg0, arg1, arg2);
return ret;
},
t: function(arg0, arg1) {
const ret = Array.of(arg0, arg1);
return ret;
},
qb: function(arg0) {
const ret = arg0.ok;
return ret;
},
Xc: function(arg0) {
const ret = arg0.onSubmittedWorkDone();
return ret;
},
Ib: function(arg0) {
const ret = arg0.performance;
return ret;
},
Na: function(arg0) {
const ret = arg0.port1;
return ret;
},
Oa: function(arg0) {
const ret = arg0.port2;
return ret;
},
Ra: function() { return handleError(function (arg0, arg1) {
arg0.postMessage(arg1);
}, arguments); },
Bb: function() { return handleError(function (arg0, arg1) {
arg0.postMessage(arg1);
}, arguments); },
Cb: function() { return handleError(function (arg0, arg1, arg2) {
arg0.postMessage(arg1, arg2);
}, arguments); },
S: function(arg0, arg1, arg2) {
Uint8Array.prototype.set.call(getArrayU8FromWasm0(arg0, arg1), arg2);
},
w: function(arg0, arg1) {
const ret = arg0.push(arg1);
return ret;
},
$: function(arg0) {
const ret = arg0.queueMicrotask;
return ret;
},
aa: function(arg0) {
queueMicrotask(arg0);
},
Mc: function(arg0) {
const ret = arg0.queue;
return ret;
},
ib: function(arg0) {
const ret = arg0.read();
return ret;
},
Sc: function(arg0) {
const ret = arg0.reason;
return (__wbindgen_enum_GpuDeviceLostReason.indexOf(ret) + 1 || 3) - 1;
},
Nb: function(arg0, arg1) {
const ret = arg0.requestAdapter(arg1);
return ret;
},
Rb: function(arg0, arg1) {
const ret = arg0.requestDevice(arg1);
return ret;
},
I: function(arg0) {
const ret = Promise.resolve(arg0);
return ret;
},
cb: function() { return handleError(function (arg0, arg1) {
arg0.respond(arg1 >>> 0);
}, arguments); },
zc: function(arg0, arg1, arg2) {
arg0.setBindGroup(arg1 >>> 0, arg2);
},
Ac: function(arg0, arg1) {
arg0.setPipeline(arg1);
},
X: function(arg0, arg1, arg2) {
arg0.set(arg1, arg2 >>> 0);
},
N: function() { return handleError(function (arg0, arg1, arg2) {
const ret = Reflect.set(arg0, arg1, arg2);
return ret;
}, arguments); },
Da: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4) {
arg0.set(getStringFromWasm0(arg1, arg2), getStringFromWasm0(arg3, arg4));
}, arguments); },
Zb: function(arg0, arg1) {
arg0.binding = arg1 >>> 0;
},
fc: function(arg0, arg1) {
arg0.buffer = arg1;
},
jb: function(arg0, arg1) {
arg0.cache = __wbindgen_enum_RequestCache[arg1];
},
$c: function(arg0, arg1, arg2) {
arg0.code = getStringFromWasm0(arg1, arg2);
},
Cc: function(arg0, arg1) {
arg0.compute = arg1;
},
kb: function(arg0, arg1) {
arg0.credentials = __wbindgen_enum_RequestCredentials[arg1];
},
mc: function(arg0, arg1) {
arg0.device = arg1;
},
Wb: function(arg0, arg1, arg2) {
arg0.entries = getArrayJsValueViewFromWasm0(arg1, arg2);
},
Vc: function(arg0, arg1, arg2) {
arg0.entryPoint = getStringFromWasm0(arg1, arg2);
},
R: function(arg0, arg1, arg2) {
arg0.set(getArrayU8FromWasm0(arg1, arg2));
},
_a: function(arg0, arg1, arg2) {
arg0.fillStyle = getStringFromWasm0(arg1, arg2);
},
nc: function(arg0, arg1) {
arg0.format = __wbindgen_enum_GpuTextureFormat[arg1];
},
lb: function(arg0, arg1) {
arg0.headers = arg1;
},
ic: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
qc: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Xb: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
ad: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Dc: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Oc: function(arg0, arg1, arg2) {
arg0.label = getStringFromWasm0(arg1, arg2);
},
Yb: function(arg0, arg1) {
arg0.layout = arg1;
},
Ec: function(arg0, arg1) {
arg0.layout = __wbindgen_enum_GpuAutoLayoutMode[arg1];
},
jc: function(arg0, arg1) {
arg0.mappedAtCreation = arg1 !== 0;
},
Wc: function(arg0, arg1) {
arg0.module = arg1;
},
gc: function(arg0, arg1) {
arg0.offset = arg1;
},
Db: function(arg0, arg1) {
arg0.onerror = arg1;
},
Sa: function(arg0, arg1) {
arg0.onmessage = arg1;
},
Eb: function(arg0, arg1) {
arg0.onmessage = arg1;
},
Nc: function(arg0, arg1) {
arg0.onuncapturederror = arg1;
},
_c: function(arg0, arg1) {
arg0.powerPreference = __wbindgen_enum_GpuPowerPreference[arg1];
},
mb: function(arg0, arg1) {
arg0.referrerPolicy = __wbindgen_enum_ReferrerPolicy[arg1];
},
Pc: function(arg0, arg1, arg2) {
arg0.requiredFeatures = getArrayJsValueViewFromWasm0(arg1, arg2);
},
Qc: function(arg0, arg1) {
arg0.requiredLimits = arg1;
},
_b: function(arg0, arg1) {
arg0.resource = arg1;
},
$b: function(arg0, arg1) {
arg0.resource = arg1;
},
ac: function(arg0, arg1) {
arg0.resource = arg1;
},
nb: function(arg0, arg1) {
arg0.signal = arg1;
},
hc: function(arg0, arg1) {
arg0.size = arg1;
},
kc: function(arg0, arg1) {
arg0.size = arg1;
},
Hb: function(arg0, arg1) {
arg0.type = __wbindgen_enum_WorkerType[arg1];
},
lc: function(arg0, arg1) {
arg0.usage = arg1 >>> 0;
},
va: function(arg0) {
const ret = arg0.signal;
return ret;
},
x: function(arg0, arg1) {
const ret = arg1.slice();
const ptr1 = passArrayJsValueToWasm0(ret, wasm.te);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
n: function(arg0, arg1) {
const ret = arg1.stack;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
ca: function() {
const ret = typeof globalThis === 'undefined' ? undefined : globalThis;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
ba: function() {
const ret = typeof global === 'undefined' ? undefined : global;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
fa: function(arg0) {
const ret = import.meta.url;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
da: function() {
const ret = typeof self === 'undefined' ? undefined : self;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
ea: function() {
const ret = typeof window === 'undefined' ? undefined : window;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
sb: function(arg0, arg1) {
const ret = arg1.statusText;
const ptr1 = passStringToWasm0(ret, wasm.te, wasm.ue);
const len1 = WASM_VECTOR_LEN;
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 1, len1, true);
getDataViewMemory0().setInt32((arg0 >>> 0) + 4 * 0, ptr1, true);
},
rb: function(arg0) {
const ret = arg0.status;
return ret;
},
D: function() { return handleError(function (arg0) {
const ret = JSON.stringify(arg0);
return ret;
}, arguments); },
Ub: function(arg0) {
const ret = arg0.subgroupMaxSize;
return ret;
},
Vb: function(arg0) {
const ret = arg0.subgroupMinSize;
return ret;
},
Yc: function(arg0, arg1, arg2) {
arg0.submit(getArrayJsValueViewFromWasm0(arg1, arg2));
},
Fb: function(arg0) {
arg0.terminate();
},
J: function(arg0, arg1) {
const ret = arg0.then(arg1);
return ret;
},
L: function(arg0, arg1, arg2) {
const ret = arg0.then(arg1, arg2);
return ret;
},
K: function(arg0, arg1) {
const ret = arg0.then(arg1);
return ret;
},
pc: function(arg0) {
arg0.unconfigure();
},
ec: function(arg0) {
arg0.unmap();
},
G: function(arg0) {
const ret = arg0.valueOf();
return ret;
},
db: function(arg0) {
const ret = arg0.view;
return isLikeNone(ret) ? 0 : addToExternrefTable0(ret);
},
Ka: function(arg0) {
const ret = arg0.width;
return ret;
},
Ga: function(arg0) {
const ret = arg0.width;
return ret;
},
Zc: function() { return handleError(function (arg0, arg1, arg2, arg3, arg4, arg5, arg6) {
arg0.writeBuffer(arg1, arg2, getArrayU8FromWasm0(arg3, arg4), arg5, arg6);
}, arguments); },
a: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__hff84eb51fb89aa78);
return ret;
},
b: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h72d544e5683ad26e);
return ret;
},
c: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h62cd3688c3b94dcc);
return ret;
},
d: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h6309d4a28be6ad48);
return ret;
},
e: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h6309d4a28be6ad48_24);
return ret;
},
f: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h511172fc997a9af3);
return ret;
},
g: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h62cd3688c3b94dcc_26);
return ret;
},
h: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__h62cd3688c3b94dcc_27);
return ret;
},
i: function(arg0, arg1) {
const ret = makeMutClosure(arg0, arg1, wasm_bindgen__convert__closures_____invoke__hb6f55ef64418a70b);
return ret;
},
j: function(arg0) {
const ret = arg0;
return ret;
},
k: function(arg0, arg1) {
const ret = getArrayU8FromWasm0(arg0, arg1);
return ret;
},
l: function(arg0, arg1) {
const ret = getStringFromWasm0(arg0, arg1);
return ret;
},
p: function() {
const table = wasm.xe;
table.set(0, undefined);
table.set(1024, undefined);
table.set(1025, null);
table.set(1026, true);
table.set(1027, false);
},
};
return {
__proto__: null,
"a": import0,
};
}
function wasm_bindgen__convert__closures_____invoke__hb6f55ef64418a70b(arg0, arg1) {
wasm.se(arg0, arg1);
}
function wasm_bindgen__convert__closures_____invoke__h72d544e5683ad26e(arg0, arg1, arg2) {
wasm.re(arg0, arg1, arg2);
}
function wasm_bindgen__convert__closures_____invoke__h6309d4a28be6ad48(arg0, arg1, arg2) {
wasm.pe(arg0, arg1, arg2);
}
function wasm_bindgen__convert__closures_____invoke__h6309d4a28be6ad48_24(arg0, arg1, arg2) {
wasm.qe(arg0, arg1, arg2);
}
function wasm_bindgen__convert__closures_____invoke__h511172fc997a9af3(arg0, arg1, arg2) {
wasm.oe(arg0, arg1, arg2);
}
function wasm_bindgen__convert__closures_____invoke__hff84eb51fb89aa78(arg0, arg1, arg2) {
const ret = wasm.ne(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function wasm_bindgen__convert__closures_____invoke__h62cd3688c3b94dcc(arg0, arg1, arg2) {
const ret = wasm.ke(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function wasm_bindgen__convert__closures_____invoke__h62cd3688c3b94dcc_26(arg0, arg1, arg2) {
const ret = wasm.le(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function wasm_bindgen__convert__closures_____invoke__h62cd3688c3b94dcc_27(arg0, arg1, arg2) {
const ret = wasm.me(arg0, arg1, arg2);
if (ret[1]) {
throw takeFromExternrefTable0(ret[0]);
}
}
function wasm_bindgen__convert__closures_____invoke__h2999ce531aff46b7(arg0, arg1, arg2, arg3) {
wasm.je(arg0, arg1, arg2, arg3);
}
const __wbindgen_enum_GpuAutoLayoutMode = ["auto"];
const __wbindgen_enum_GpuDeviceLostReason = ["unknown", "destroyed"];
const __wbindgen_enum_GpuPowerPreference = ["low-power", "high-performance"];
const __wbindgen_enum_GpuTextureFormat = ["r8unorm", "r8snorm", "r8uint", "r8sint", "r16unorm", "r16snorm", "r16uint", "r16sint", "r16float", "rg8unorm", "rg8snorm", "rg8uint", "rg8sint", "r32uint", "r32sint", "r32float", "rg16unorm", "rg16snorm", "rg16uint", "rg16sint", "rg16float", "rgba8unorm", "rgba8unorm-srgb", "rgba8snorm", "rgba8uint", "rgba8sint", "bgra8unorm", "bgra8unorm-srgb", "rgb9e5ufloat", "rgb10a2uint", "rgb10a2unorm", "rg11b10ufloat", "rg32uint", "rg32sint", "rg32float", "rgba16unorm", "rgba16snorm", "rgba16uint", "rgba16sint", "rgba16float", "rgba32uint", "rgba32sint", "rgba32float", "stencil8", "depth16unorm", "depth24plus", "depth24plus-stencil8", "depth32float", "depth32float-stencil8", "bc1-rgba-unorm", "bc1-rgba-unorm-srgb", "bc2-rgba-unorm", "bc2-rgba-unorm-srgb", "bc3-rgba-unorm", "bc3-rgba-unorm-srgb", "bc4-r-unorm", "bc4-r-snorm", "bc5-rg-unorm", "bc5-rg-snorm", "bc6h-rgb-ufloat", "bc6h-rgb-float", "bc7-rgba-unorm", "bc7-rgba-unorm-srgb", "etc2-rgb8unorm", "etc2-rgb8unorm-srgb", "etc2-rgb8a1unorm", "etc2-rgb8a1unorm-srgb", "etc2-rgba8unorm", "etc2-rgba8unorm-srgb", "eac-r11unorm", "eac-r11snorm", "eac-rg11unorm", "eac-rg11snorm", "astc-4x4-unorm", "astc-4x4-unorm-srgb", "astc-5x4-unorm", "astc-5x4-unorm-srgb", "astc-5x5-unorm", "astc-5x5-unorm-srgb", "astc-6x5-unorm", "astc-6x5-unorm-srgb", "astc-6x6-unorm", "astc-6x6-unorm-srgb", "astc-8x5-unorm", "astc-8x5-unorm-srgb", "astc-8x6-unorm", "astc-8x6-unorm-srgb", "astc-8x8-unorm", "astc-8x8-unorm-srgb", "astc-10x5-unorm", "astc-10x5-unorm-srgb", "astc-10x6-unorm", "astc-10x6-unorm-srgb", "astc-10x8-unorm", "astc-10x8-unorm-srgb", "astc-10x10-unorm", "astc-10x10-unorm-srgb", "astc-12x10-unorm", "astc-12x10-unorm-srgb", "astc-12x12-unorm", "astc-12x12-unorm-srgb"];
const __wbindgen_enum_ReadableStreamType = ["bytes"];
const __wbindgen_enum_ReferrerPolicy = ["", "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "unsafe-url", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
const __wbindgen_enum_RequestCache = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"];
const __wbindgen_enum_RequestCredentials = ["omit", "same-origin", "include"];
const __wbindgen_enum_WorkerType = ["classic", "module"];
const ClassifierFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Kd(ptr, 1));
const IntoUnderlyingByteSourceFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Ld(ptr, 1));
const IntoUnderlyingSinkFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Md(ptr, 1));
const IntoUnderlyingSourceFinalization = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(ptr => wasm.Nd(ptr, 1));
function addToExternrefTable0(obj) {
const idx = wasm.we();
wasm.xe.set(idx, obj);
return idx;
}
const CLOSURE_DTORS = (typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(state => wasm.Ae(state.a, state.b));
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
function getArrayF32FromWasm0(ptr, len) {
ptr = ptr >>> 0;
return getFloat32ArrayMemory0().subarray(ptr / 4, ptr / 4 + len);
}
function getArrayJsValueFromWasm0(ptr, len) {
ptr = ptr >>> 0;
const mem = getDataViewMemory0();
const result = [];
for (let i = ptr; i < ptr + 4 * len; i += 4) {
result.push(wasm.xe.get(mem.getUint32(i, true)));
}
wasm.ze(ptr, len);
return result;
}
function getArrayJsValueViewFromWasm0(ptr, len) {
ptr = ptr >>> 0;
const mem = getDataViewMemory0();
const result = [];
for (let i = ptr; i < ptr + 4 * len; i += 4) {
result.push(wasm.xe.get(mem.getUint32(i, true)));
}
return result;
}
function getArrayU8FromWasm0(ptr, len) {
ptr = ptr >>> 0;
return getUint8ArrayMemory0().subarray(ptr / 1, ptr / 1 + len);
}
let cachedDataViewMemory0 = null;
function getDataViewMemory0() {
if (cachedDataViewMemory0 === null || cachedDataViewMemory0.buffer.detached === true || (cachedDataViewMemory0.buffer.detached === undefined && cachedDataViewMemory0.buffer !== wasm.Jd.buffer)) {
cachedDataViewMemory0 = new DataView(wasm.Jd.buffer);
}
return cachedDataViewMemory0;
}
let cachedFloat32ArrayMemory0 = null;
function getFloat32ArrayMemory0() {
if (cachedFloat32ArrayMemory0 === null || cachedFloat32ArrayMemory0.byteLength === 0) {
cachedFloat32ArrayMemory0 = new Float32Array(wasm.Jd.buffer);
}
return cachedFloat32ArrayMemory0;
}
function getStringFromWasm0(ptr, len) {
ptr = ptr >>> 0;
return decodeText(getUint8ArrayMemory0().subarray(ptr, ptr + len));
}
let cachedUint8ArrayMemory0 = null;
function getUint8ArrayMemory0() {
if (cachedUint8ArrayMemory0 === null || cachedUint8ArrayMemory0.byteLength === 0) {
cachedUint8ArrayMemory0 = new Uint8Array(wasm.Jd.buffer);
}
return cachedUint8ArrayMemory0;
}
function handleError(f, args) {
try {
return f.apply(this, args);
} catch (e) {
const idx = addToExternrefTable0(e);
wasm.ye(idx);
}
}
function isLikeNone(x) {
return x === undefined || x === null;
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
wasm.Ae(state.a, state.b);
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
const value = wasm.xe.get(idx);
wasm.Be(idx);
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
cachedFloat32ArrayMemory0 = null;
cachedUint8ArrayMemory0 = null;
wasm.Ce();
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
module_or_path = new URL('reslab_bg.wasm', import.meta.url);
}
const imports = __wbg_get_imports();
if (typeof module_or_path === 'string' || (typeof Request === 'function' && module_or_path instanceof Request) || (typeof URL === 'function' && module_or_path instanceof URL)) {
module_or_path = fetch(module_or_path);
}
const { instance, module } = await __wbg_load(await module_or_path, imports);
return __wbg_finalize_init(instance, module);
}
export { initSync, __wbg_init as default };
