// Gradient descent with momentum, torch.optim.SGD with dampening 0: one thread eight vec4s of parameters.
// Reads from textures: see src/gpu/texels.rs.
// uses: shared/finite.wgsl
// uses: shared/optimizer_step.wgsl
// uses: shared/texel.wgsl

struct Params { count: u32, rate_multiplier: f32, decay: f32, momentum: f32 }

@group(0) @binding(0) var old_parameters: Texels;                              // [count]
@group(0) @binding(1) var gradients: Texels;                                   // [count]
@group(0) @binding(2) var old_velocity: Texels;                                // [count]
@group(0) @binding(3) var<storage, read_write> parameters: array<vec4<f32>>;   // [count]
@group(0) @binding(4) var<storage, read_write> velocity: array<vec4<f32>>;     // [count]
@group(0) @binding(5) var<storage, read> values: Step;
@group(0) @binding(6) var<storage, read> norm: array<vec4<f32>>;               // [1]: sum of squares of the whole gradient, ...
@group(0) @binding(7) var<uniform> params: Params;

override DECOUPLED: bool = false;
override NESTEROV: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32) {
    // With a norm that is not finite the step is skipped.
    let squares = norm[0].x;
    if !finite(squares) { return; }
    let factor = clip(squares, values.max_norm);
    let rate = values.learning_rate * params.rate_multiplier;
    for (var k = 0u; k < 8u; k++) {
        let i = (group.x + group.y * groups.x) * 512u + k * 64u + thread;
        if i >= params.count { return; }
        var p = texel(old_parameters, i);
        var g = texel(gradients, i) * factor;
        // Decay as L2 joins the gradient; decoupled decay shrinks the parameter itself.
        if DECOUPLED { p -= rate * params.decay * p; } else { g += params.decay * p; }
        let v = params.momentum * texel(old_velocity, i) + g;
        velocity[i] = v;
        if NESTEROV { g += params.momentum * v; } else { g = v; }
        parameters[i] = p - rate * g;
    }
}
