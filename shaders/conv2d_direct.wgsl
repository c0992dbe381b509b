// 2-D convolution of any kernel size, stride and padding, in registers: no workgroup memory, no barriers.
// For software adapters, and the easiest one to read.
// uses: shared/conv2d.wgsl
//
// One invocation = 8 output pixels x 8 output channels; neighbouring invocations take the next 8 pixels.
// Grid: x = tiles of pixels, y = tiles of channels, z = convolutions.
// Prelude: Elem and Out.

const PIXELS = 8u;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    // Through arrayLength the loop bounds are no plain uniforms any more: Mesa's llvmpipe would otherwise compile the
    // shader anew, with the bounds as constants, for every dispatch.
    let limit = arrayLength(&weight);
    let part = part_of(id.z, groups.y * params.kernel_h * params.kernel_w * params.in_c4 * 8u);
    let pixels = params.batch * part.size.x * part.size.y;
    let first = id.x * PIXELS;
    if (first >= pixels) { return; }
    let kernel_h = min(part.kernel.x, limit);
    let span = min(part.kernel.y * params.in_c4, limit); // vec4s under a kernel row: one piece of memory
    let width = params.in_w * params.in_c4;

    // top left input position of each pixel, in fours; a pixel behind the end repeats the last one
    #for h 2
    let pixel$h = min(vec4<u32>(first + 4u * $hu) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(pixels - 1u));
    let line$h = pixel$h / part.size.y;
    let line0_$h = (line$h / part.size.x + part.image) * params.in_h;
    let y0_$h = line$h % part.size.x * part.stride - part.pad.x; // wraps below 0: then larger than any height
    let x0_$h = (pixel$h % part.size.y * part.stride - part.pad.y) * params.in_c4;
    #for i 4
    var sum$h$i_0 = vec4<f32>();
    var sum$h$i_1 = vec4<f32>();
    #end
    #end
    var w = part.weights + id.y * kernel_h * span * 8u;
    for (var ky = 0u; ky < kernel_h; ky++) {
        #for h 2
        let y$h = y0_$h + ky;
        let start$h = (line0_$h + y$h) * width + x0_$h;
        let end$h = select(vec4<u32>(), vec4<u32>(width), y$h < vec4<u32>(params.in_h));
        #end
        for (var k = 0u; k < span; k++) {
            // columns: the 4 output channels that one input channel feeds
            #for j 2
            let w$j = mat4x4<f32>(
                vec4<f32>(weight[w + $ju]), vec4<f32>(weight[w + 2u + $ju]),
                vec4<f32>(weight[w + 4u + $ju]), vec4<f32>(weight[w + 6u + $ju]));
            #end
            #for h 2
            let inside$h = x0_$h + k < end$h;
            let at$h = select(vec4<u32>(), start$h + k, inside$h);
            #for i 4
            let v$h$i = select(vec4<f32>(), vec4<f32>(input[at$h[$i]]), inside$h[$i]);
            sum$h$i_0 += w0 * v$h$i;
            sum$h$i_1 += w1 * v$h$i;
            #end
            #end
            w += 8u;
        }
    }

    let c4 = id.y * 2u;
    #for h 2
    #for i 4
    let place$h$i = place(part, first + 4u * $hu + $iu);
    store(place$h$i, c4, sum$h$i_0);
    store(place$h$i, c4 + 1u, sum$h$i_1);
    #end
    #end
}
