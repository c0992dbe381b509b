// Last step of a 3x3 convolution by Winograd's F(4x4, 3x3): sums by element back to output pixels, with the epilogue.
//
// One invocation = 4 channels of one tile: it loads the tile's value from each of the 36 products, computes A^T m A and
// writes 4x4 output pixels. See conv2d_winograd4_input.
// Grid: x, y = tiles * O/4 (in 64s, in rows). Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

struct Params {
    batch: u32, in_h: u32, in_w: u32, in_c4: u32,
    out_h: u32, out_w: u32, out_c4: u32, kernel_h: u32,
    kernel_w: u32, stride: u32, pad_top: u32, pad_left: u32,
    finish: u32, // bits: 2 ReLU, 4 add the residual
}

// (36, N * tile rows * tile columns, O/4)
@group(0) @binding(0) var<storage, read> input: array<vec4<Elem>>;
// (N, OH, OW, O/4), or anything without bit 4
@group(0) @binding(1) var<storage, read> residual: array<vec4<Elem>>;
// (O/4)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
// (N, OH, OW, O/4)
@group(0) @binding(3) var<storage, read_write> output: array<vec4<Elem>>;
@group(0) @binding(4) var<uniform> params: Params;

const OUT = 4u; // output pixels of a tile in each direction
const IN = 6u; // products

// A^T m of one column.
fn transform(m: array<vec4<f32>, IN>) -> array<vec4<f32>, OUT> {
    let sum1 = m[1] + m[2];
    let difference1 = m[1] - m[2];
    let sum2 = m[3] + m[4];
    let difference2 = m[3] - m[4];
    return array<vec4<f32>, OUT>(
        m[0] + sum1 + sum2,
        difference1 + 2.0 * difference2,
        sum1 + 4.0 * sum2,
        difference1 + 8.0 * difference2 + m[5],
    );
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let columns = (params.out_w + OUT - 1u) / OUT;
    let rows = (params.out_h + OUT - 1u) / OUT;
    let tiles = params.batch * rows * columns;
    let index = id.x + id.y * groups.x * 64u;
    let tile = index / params.out_c4;
    let c4 = index % params.out_c4;
    if (tile >= tiles) { return; }
    let x0 = tile % columns * OUT;
    let y0 = tile / columns % rows * OUT;
    let line0 = tile / columns / rows * params.out_h;

    var half: array<array<vec4<f32>, IN>, OUT>;
    var m: array<vec4<f32>, IN>;
    var column: array<vec4<f32>, OUT>;
    let step = tiles * params.out_c4;
    let at = tile * params.out_c4 + c4;
    #for j 6
    #for i 6
    m[$i] = vec4<f32>(input[at + $iu * IN * step + $ju * step]);
    #end
    column = transform(m);
    #for i 4
    half[$i][$j] = column[$i];
    #end
    #end
    let b = bias[c4];
    #for i 4
    column = transform(half[$i]);
    #for j 4
    store(line0, y0 + $iu, x0 + $ju, c4, column[$j] + b);
    #end
    #end
}

// Adds the residual, applies ReLU, stores what is no padding of the tile.
fn store(line0: u32, y: u32, x: u32, c4: u32, sum: vec4<f32>) {
    if (y >= params.out_h || x >= params.out_w) { return; }
    let at = ((line0 + y) * params.out_w + x) * params.out_c4 + c4;
    // Through arrayLength, or Mesa's llvmpipe would compile the shader anew whenever the bit changes.
    let finish = min(params.finish, 8u * arrayLength(&bias));
    var v = sum;
    if ((finish & 4u) != 0u) { v += vec4<f32>(residual[at]); }
    output[at] = vec4<Elem>(max(v, vec4<f32>(select(-3.4028234e38, 0.0, (finish & 2u) != 0u))));
}
