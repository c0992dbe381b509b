// 2-D convolution as a tiled matrix product (implicit GEMM), for GPUs.
// uses: shared/conv2d.wgsl
//
// One workgroup = a tile of PIXELS x CHANNELS outputs, one invocation = TM pixels x TN4 * 4 channels of it. The reduction runs
// over kernel positions and input channels, K4 vec4s a step: the workgroup brings the values under its pixels and the weights of
// its channels into workgroup memory (an invocation VALUE_LOADS and WEIGHT_LOADS vec4s), and every invocation uses its rows of
// both. A step may cross from one kernel position to the next, so that 4 channels under a 7x7 kernel waste little.
// POINT (and not WINDOW) is for kernels of one position without padding: a plain matrix product.
// What decides the speed: indices are constants but for the invocation's own, sums are multiply-adds into names, and nothing
// in the loop divides or reads a uniform.
// Grid: x = tiles of pixels, y = tiles of channels, z = parts of the reduction x convolutions.
// Prelude: Elem, Out and the sizes in capitals (src/ops/conv2d/tiling.rs).

const COLUMNS = CHANNELS / 4u / TN4; // invocations over the channels
const ROWS = PIXELS / TM; // and over the pixels
const THREADS = COLUMNS * ROWS;
const LOADED = THREADS / K4; // pixels that one load of all invocations brings
const PARTS = LOADED / ROWS; // of these an invocation's own
const LOADED_K = THREADS * 4u / CHANNELS; // input channels that one load of weights brings
const STEP = K4 * CHANNELS; // vec4s of weights a step
const SWIZZLE = 8u / K4; // rows are exchanged, so that the stores of one pixel's vec4s meet different banks

// pixel ROWS * i + row lies at [i / PARTS][i % PARTS][k][row]
var<workgroup> values: array<array<array<array<vec4<f32>, ROWS>, K4>, PARTS>, VALUE_LOADS>;
// input channel k, and of the 4 * TN4 * COLUMNS output channels 4 * (j * COLUMNS + column)
var<workgroup> weights: array<array<array<array<vec4<f32>, COLUMNS>, TN4>, LOADED_K>, WEIGHT_LOADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let in_h = params.in_h;
    let in_w = params.in_w;
    // arrayLength: see `finish`; it also brings both descriptors into registers in front of the loop
    let in_c4 = min(min(params.in_c4, arrayLength(&weight)), arrayLength(&input));
    let part = part_of(group.z, groups.y * params.kernel_h * params.kernel_w * in_c4 * CHANNELS);
    let kernel_h = part.kernel.x;
    let kernel_w = part.kernel.y;
    let depth = kernel_h * kernel_w * in_c4;
    let begin = group.z / params.count * params.chunk;
    let end = min(begin + min(params.chunk, arrayLength(&weight)), depth);

    // the vec4 of a step and the first of the pixels that this invocation loads, and their top left input positions
    let k0 = local % K4;
    let load_pixel = local / K4;
    let first = group.x * PIXELS;
    let last = params.batch * part.size.x * part.size.y - 1u;
    #for i VALUE_LOADS
    let pixel$i = min(first + load_pixel + $iu * LOADED, last); // a pixel behind the end repeats the last one
    let line$i = pixel$i / part.size.y;
    let y$i = line$i % part.size.x * part.stride - part.pad.x; // wraps below 0: then larger than any height
    let x$i = pixel$i % part.size.y * part.stride - part.pad.y;
    let base$i = (((line$i / part.size.x + part.image) * in_h + y$i) * in_w + x$i) * in_c4;
    #end
    // where in the kernel the vec4 lies, advanced by a step without a division
    let k = begin + k0;
    var c = k % in_c4;
    var kx = k / in_c4 % kernel_w;
    var ky = k / in_c4 / kernel_w;
    let step_c = K4 % in_c4;
    let step_x = K4 / in_c4 % kernel_w;
    let step_y = K4 / in_c4 / kernel_w;
    let skip = (in_w - kernel_w) * in_c4; // from the end of a kernel row to the next one
    let step_at = K4 + step_y * skip;
    var at = k + ky * skip;
    // the weights it loads; behind the end the last ones of their channels, which meet zeros
    let tile = part.weights + group.y * depth * CHANNELS;
    var w_at = tile + begin * CHANNELS + local;
    let w_last = tile + (depth * 4u - 1u) * (CHANNELS / 4u) + local % (CHANNELS / 4u);

    let store_part = load_pixel / ROWS;
    let store_row = (load_pixel % ROWS) ^ (k0 * SWIZZLE);
    let store_k = local / (CHANNELS / 4u);
    let store_j = local % (CHANNELS / 4u) / COLUMNS;
    let column = local % COLUMNS;
    let row = local / COLUMNS;
    #for k K4
    let row_$k = row ^ ($ku * SWIZZLE);
    #end
    #for i TM
    #for j TN4
    var sum$i_$j = vec4<f32>();
    #end
    #end
    for (var start = begin; start < end; start += K4) {
        #for i VALUE_LOADS
        var v$i = vec4<Elem>();
        #for once WINDOW
        if (ky < kernel_h && y$i + ky < in_h && x$i + kx < in_w) { v$i = input[base$i + at]; }
        #end
        #for once POINT
        if (at < depth) { v$i = input[base$i + at]; }
        #end
        #end
        #for i WEIGHT_LOADS
        let w$i = weight[min(w_at + $iu * THREADS, w_last)];
        #end
        #for i VALUE_LOADS
        values[$i][store_part][k0][store_row] = vec4<f32>(v$i);
        #end
        #for i WEIGHT_LOADS
        weights[$i][store_k][store_j][column] = vec4<f32>(w$i);
        #end
        workgroupBarrier();

        w_at += STEP;
        #for once POINT
        at += K4;
        #end
        #for once WINDOW
        c += step_c;
        let next_column = c >= in_c4;
        c -= select(0u, in_c4, next_column);
        kx += step_x + select(0u, 1u, next_column);
        let next_row = kx >= kernel_w;
        kx -= select(0u, kernel_w, next_row);
        ky += step_y + select(0u, 1u, next_row);
        at += step_at + select(0u, skip, next_row);
        #end
        #for k K4
        {
            #for i TM
            let p$i = values[$i / PARTS][$i % PARTS][$k][row_$k];
            #end
            #for c 4
            #for j TN4
            let q$c_$j = weights[($k * 4 + $c) / LOADED_K][($k * 4 + $c) % LOADED_K][$j][column];
            #end
            #for i TM
            #for j TN4
            sum$i_$j += q$c_$j * p$i[$c];
            #end
            #end
            #end
        }
        #end
        workgroupBarrier();
    }

    let c4 = group.y * (CHANNELS / 4u) + column;
    #for i TM
    let place$i = place(part, first + row + $iu * ROWS);
    #for j TN4
    store(place$i, c4 + $ju * COLUMNS, sum$i_$j);
    #end
    #end
}
