// First step of a 3x3 convolution by Winograd's F(4x4, 3x3): input tiles into the domain where it is a product by element.
//
// One invocation = 4 channels of one tile: it loads 6x6 input pixels (tiles overlap by 2), computes B^T d B and writes
// 36 values, each into a matrix of its own; conv2d_* multiply these by the transformed weights, and
// conv2d_winograd4_output brings the result back. Matrices: Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks" (2015), interpolation points 0, 1, -1, 2, -2 and infinity.
// Grid: x, y = tiles * C/4 (in 64s, in rows). Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // bits: 2 ReLU, 4 add the residual
}

// (N, H, W, C/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (36, N * tile rows * tile columns, C/4)
@group(0) @binding(1) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(2) var<uniform> params: Params;

const OUT = 4u; // output pixels of a tile in each direction
const IN = 6u; // input pixels

// B^T d of one column.
fn transform(d: array<vec4<f32>, IN>) -> array<vec4<f32>, IN> {
    let even = d[4] - 4.0 * d[2];
    let odd = d[3] - 4.0 * d[1];
    let even2 = d[4] - d[2];
    let odd2 = 2.0 * (d[3] - d[1]);
    return array<vec4<f32>, IN>(
        4.0 * d[0] - 5.0 * d[2] + d[4],
        even + odd,
        even - odd,
        even2 + odd2,
        even2 - odd2,
        4.0 * d[1] - 5.0 * d[3] + d[5],
    );
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let columns = (params.out_w + OUT - 1u) / OUT;
    let rows = (params.out_h + OUT - 1u) / OUT;
    let tiles = params.batch * rows * columns;
    let index = id.x + id.y * groups.x * 64u;
    let tile = index / params.in_c4;
    let c4 = index % params.in_c4;
    if (tile >= tiles) { return; }
    let x0 = tile % columns * OUT - params.pad_left; // wraps below 0: then larger than any width
    let y0 = tile / columns % rows * OUT - params.pad_top;
    let line0 = tile / columns / rows * params.in_h;

    var half: array<array<vec4<f32>, IN>, IN>;
    var d: array<vec4<f32>, IN>;
    var column: array<vec4<f32>, IN>;
    #for j 6
    #for i 6
    d[$i] = pixel(line0, y0 + $iu, x0 + $ju, c4);
    #end
    column = transform(d);
    #for i 6
    half[$i][$j] = column[$i];
    #end
    #end
    let step = tiles * params.in_c4;
    let at = tile * params.in_c4 + c4;
    #for i 6
    column = transform(half[$i]);
    #for j 6
    output[at + $iu * IN * step + $ju * step] = vec4<Elem>(column[$j]);
    #end
    #end
}

// Zero in the padding.
fn pixel(line0: u32, y: u32, x: u32, c4: u32) -> vec4<f32> {
    let inside = y < params.in_h && x < params.in_w;
    let at = select(0u, ((line0 + y) * params.in_w + x) * params.in_c4 + c4, inside);
    return select(vec4<f32>(), vec4<f32>(input[at]), inside);
}
