// Weight gradient of a 2-D convolution as a tiled matrix product over pixels (implicit GEMM), for GPUs.
// uses: shared/conv2d_d_weight.wgsl
//
// d_weight[row, o] = sum over p of input[p under row] * d_output[p, o], where a row is a kernel position and an input
// channel. One workgroup = a tile of ROWS4 * 4 rows x CHANNELS4 * 4 output channels, one invocation = TR * 4 rows x TC * 4
// channels of it. 16 pixels a step: the workgroup brings their values under its rows and their gradients of its channels into
// workgroup memory (an invocation VALUE_LOADS and GRADIENT_LOADS vec4s). POINT (and not WINDOW) is for kernels of one
// position without stride and padding. For its speed see conv2d_tiled.
// Grid: x = tiles of rows, y = tiles of channels, z = chunks of pixels.
// Prelude: Elem and the sizes in capitals (src/ops/conv2d/weight_gradient.rs).

const STEP = 16u; // pixels
const COLUMNS = CHANNELS4 / TC; // invocations over the channels
const LINES = ROWS4 / TR; // and over the rows
const THREADS = COLUMNS * LINES;
const LANES = THREADS / STEP; // rows of a pixel that one load of all invocations brings
const LOADED = THREADS / CHANNELS4; // pixels whose gradients one load of all invocations brings

// of pixel p and row i * LINES + line, a vec4 over input channels: [p][i][line / LANES][line % LANES]
var<workgroup> values: array<array<array<array<vec4<f32>, LANES>, LINES / LANES>, TR>, STEP>;
// of pixel p and channels 4 * (j * COLUMNS + column): [p / LOADED][p % LOADED][j][column]
var<workgroup> gradients: array<array<array<array<vec4<f32>, COLUMNS>, TC>, LOADED>, GRADIENT_LOADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let in_h = params.in_h;
    let in_w = params.in_w;
    let in_c4 = params.in_c4;
    let out_h = params.out_h;
    let out_w = params.out_w;
    let out_c4 = params.out_c4;
    let stride = params.stride;
    // not plain uniforms: see conv2d_direct
    let chunk = min(params.chunk, min(arrayLength(&d_output), arrayLength(&input)));
    let begin = group.z * chunk;
    let end = min(begin + chunk, params.batch * out_h * out_w);

    // the pixel of a step whose values this invocation loads, advanced without a division: an advance adds a step, carries
    // add the rest
    let lane = local % LANES;
    let v_pixel = local / LANES;
    var pixel = begin + v_pixel;
    #for once POINT
    var at = pixel * in_c4;
    #end
    #for once WINDOW
    var x = pixel % out_w * stride; // of its window, without padding
    var y = pixel / out_w % out_h * stride;
    let n = pixel / out_w / out_h;
    let width = out_w * stride;
    let height = out_h * stride;
    let step_x = STEP % out_w * stride;
    let step_y = STEP / out_w % out_h * stride;
    let step_at = ((STEP / out_w / out_h * in_h + step_y) * in_w + step_x) * in_c4;
    let carry_x = (stride * in_w - width) * in_c4;
    let carry_y = (in_h - height) * in_w * in_c4;
    let pad_top = params.pad_top;
    let pad_left = params.pad_left;
    var at = ((n * in_h + y - pad_top) * in_w + x - pad_left) * in_c4;
    #end
    // the rows it loads: where they lie in the window
    #for i VALUE_LOADS
    let row$i = group.x * ROWS4 + $iu * LANES + lane;
    #for once POINT
    let end$i = select(0u, end, row$i < params.rows);
    #end
    #for once WINDOW
    let kx$i = row$i / in_c4 % params.kernel_w;
    // behind the last one nothing is inside
    let ky$i = select(OUTSIDE, row$i / in_c4 / params.kernel_w, row$i < params.rows);
    let shift$i = (ky$i * in_w + kx$i) * in_c4 + row$i % in_c4;
    #end
    #end
    // the channels it loads, of pixels LOADED apart
    let g_column = local % CHANNELS4;
    let g_pixel = local / CHANNELS4;
    let o4 = group.y * CHANNELS4 + g_column;
    let gradients_end = select(0u, end, o4 < out_c4);
    var gradient_pixel = begin + g_pixel;
    var gradient_at = gradient_pixel * out_c4 + o4;

    let g_part = g_column / COLUMNS;
    let column = local % COLUMNS;
    let line = local / COLUMNS;
    #for i TR
    #for c 4
    #for j TC
    var sum$i$c_$j = vec4<f32>();
    #end
    #end
    #end
    for (var p = begin; p < end; p += STEP) {
        #for once WINDOW
        let top = select(OUTSIDE, y - pad_top, pixel < end); // wraps below 0: then larger than any size
        let left = x - pad_left;
        #end
        #for i VALUE_LOADS
        var v$i = vec4<Elem>();
        #for once WINDOW
        if (top + ky$i < in_h && left + kx$i < in_w) { v$i = input[at + shift$i]; }
        #end
        #for once POINT
        if (pixel < end$i) { v$i = input[at + row$i]; }
        #end
        #end
        pixel += STEP;
        #for once POINT
        at += STEP * in_c4;
        #end
        #for once WINDOW
        x += step_x;
        let next_line = x >= width;
        x -= select(0u, width, next_line);
        y += step_y + select(0u, stride, next_line);
        let next_image = y >= height;
        y -= select(0u, height, next_image);
        at += step_at + select(0u, carry_x, next_line) + select(0u, carry_y, next_image);
        #end
        #for i GRADIENT_LOADS
        var g$i = vec4<Elem>();
        if (gradient_pixel < gradients_end) { g$i = d_output[gradient_at]; }
        gradient_pixel += LOADED;
        gradient_at += LOADED * out_c4;
        #end
        #for i VALUE_LOADS
        values[v_pixel][$i * LANES / LINES][$i % (LINES / LANES)][lane] = vec4<f32>(v$i);
        #end
        #for i GRADIENT_LOADS
        gradients[$i][g_pixel][g_part][column] = vec4<f32>(g$i);
        #end
        workgroupBarrier();
        #for p 16
        {
            #for i TR
            let v$i = values[$p][$i][line / LANES][line % LANES];
            #end
            #for j TC
            let g$j = gradients[$p / LOADED][$p % LOADED][$j][column];
            #end
            #for i TR
            #for c 4
            #for j TC
            sum$i$c_$j += g$j * v$i[$c];
            #end
            #end
            #end
        }
        #end
        workgroupBarrier();
    }
    #for i TR
    #for c 4
    #for j TC
    store(group.z, (group.x * ROWS4 + $iu * LINES + line) * 4u + $cu, group.y * CHANNELS4 + $ju * COLUMNS + column, sum$i$c_$j);
    #end
    #end
    #end
}

const OUTSIDE = 0x40000000u; // larger than any size, as is the double
