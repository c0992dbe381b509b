// Weight gradient of a 2-D convolution in registers: no workgroup memory, no barriers. For software adapters.
// uses: shared/conv2d_d_weight.wgsl
//
// A matrix product over pixels: d_weight[row, o] = sum over p of input[p under row] * d_output[p, o], where a row is a kernel
// position and an input channel. One invocation = 8 rows x 8 output channels; four pixels a step, so that a sum is touched
// once for four products. Neighbouring invocations take the next output channels, then the next rows.
// Grid: x = blocks of rows and channels (in 64s), y unused, z = chunks of pixels.
// Prelude: `alias Elem = f32;` or `enable f16; alias Elem = f16;`.

// The sums of four rows with four output channels.
alias Sums = array<vec4<f32>, 4>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row4 = id.x / (params.columns / 2u) * 2u;
    if (row4 >= params.rows) { return; }
    let o4 = id.x % (params.columns / 2u) * 2u; // tiles have an even number of columns
    let limit = arrayLength(&d_output); // not plain uniforms: see conv2d_direct
    let first = id.z * min(params.chunk, limit);
    let end = min(first + min(params.chunk, limit), params.batch * params.out_h * params.out_w);

    // two times four rows: kernel position, and distance from the kernel's top left value
    let row = min(vec2<u32>(row4, row4 + 1u), vec2<u32>(params.rows - 1u));
    let c4 = row % params.in_c4;
    let kx = row / params.in_c4 % params.kernel_w;
    let ky = row / params.in_c4 / params.kernel_w;
    let shift = (ky * params.in_w + kx) * params.in_c4 + c4;

    // where the four pixels of a step lie, advanced by 4 a step without a division
    let pixel = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    var x = pixel % params.out_w;
    var y = pixel / params.out_w % params.out_h;
    var n = pixel / params.out_w / params.out_h;
    let step_x = 4u % params.out_w;
    let step_y = 4u / params.out_w % params.out_h;
    let step_n = 4u / params.out_w / params.out_h;

    var a0: Sums; // first rows, first channels
    var a1: Sums; // first rows, second channels
    var b0: Sums;
    var b1: Sums;
    for (var p = first; p < end; p += 4u) {
        // top left input position of the pixels; wraps below 0: then larger than any size
        let top = y * params.stride - params.pad_top;
        let left = x * params.stride - params.pad_left;
        let start = ((n * params.in_h + top) * params.in_w + left) * params.in_c4;
        let exists = vec4<u32>(p) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
        let va = values(start + shift.x, exists & (top + ky.x < vec4<u32>(params.in_h)) & (left + kx.x < vec4<u32>(params.in_w)));
        let vb = values(start + shift.y, exists & (top + ky.y < vec4<u32>(params.in_h)) & (left + kx.y < vec4<u32>(params.in_w)));
        let d0 = gradients(p, o4, exists);
        let d1 = gradients(p, o4 + 1u, exists);
        multiply(&a0, va, d0);
        multiply(&a1, va, d1);
        multiply(&b0, vb, d0);
        multiply(&b1, vb, d1);

        x += step_x;
        let next_line = x >= vec4<u32>(params.out_w);
        x -= select(vec4<u32>(), vec4<u32>(params.out_w), next_line);
        y += step_y + select(vec4<u32>(), vec4<u32>(1u), next_line);
        let next_image = y >= vec4<u32>(params.out_h);
        y -= select(vec4<u32>(), vec4<u32>(params.out_h), next_image);
        n += step_n + select(vec4<u32>(), vec4<u32>(1u), next_image);
    }

    store4(id.z, row4, o4, a0);
    store4(id.z, row4, o4 + 1u, a1);
    store4(id.z, row4 + 1u, o4, b0);
    store4(id.z, row4 + 1u, o4 + 1u, b1);
}

// The input at four places, one column a channel; 0 where it is not inside.
fn values(at: vec4<u32>, inside: vec4<bool>) -> mat4x4<f32> {
    let i = select(vec4<u32>(), at, inside);
    return transpose(mat4x4<f32>(
        select(vec4<f32>(), vec4<f32>(input[i.x]), inside.x),
        select(vec4<f32>(), vec4<f32>(input[i.y]), inside.y),
        select(vec4<f32>(), vec4<f32>(input[i.z]), inside.z),
        select(vec4<f32>(), vec4<f32>(input[i.w]), inside.w),
    ));
}

// d_output of 4 channels, one column a pixel; 0 behind the last pixel and channel.
fn gradients(pixel: u32, o4: u32, exists: vec4<bool>) -> mat4x4<f32> {
    let inside = exists & vec4<bool>(o4 < params.out_c4);
    let first = pixel * params.out_c4 + o4;
    let i = select(vec4<u32>(), vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) * params.out_c4, inside);
    return mat4x4<f32>(
        select(vec4<f32>(), vec4<f32>(d_output[i.x]), inside.x),
        select(vec4<f32>(), vec4<f32>(d_output[i.y]), inside.y),
        select(vec4<f32>(), vec4<f32>(d_output[i.z]), inside.z),
        select(vec4<f32>(), vec4<f32>(d_output[i.w]), inside.w),
    );
}

fn multiply(sums: ptr<function, Sums>, values: mat4x4<f32>, gradients: mat4x4<f32>) {
    (*sums)[0] += gradients * values[0];
    (*sums)[1] += gradients * values[1];
    (*sums)[2] += gradients * values[2];
    (*sums)[3] += gradients * values[3];
}

fn store4(z: u32, row4: u32, o4: u32, sums: Sums) {
    store(z, row4 * 4u, o4, sums[0]);
    store(z, row4 * 4u + 1u, o4, sums[1]);
    store(z, row4 * 4u + 2u, o4, sums[2]);
    store(z, row4 * 4u + 3u, o4, sums[3]);
}
