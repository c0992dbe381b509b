// Adam, torch.optim.Adam and with DECOUPLED AdamW: one thread a vec4 of parameters.

struct Step { learning_rate: f32, number: u32, bias_correction1: f32, bias_correction2: f32, max_norm: f32 }

struct Params { count: u32, rate_multiplier: f32, decay: f32, beta1: f32, beta2: f32, eps: f32 }

@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;   // [count]
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;          // [count]
@group(0) @binding(2) var<storage, read_write> mean: array<vec4<f32>>;         // [count], running mean of gradients
@group(0) @binding(3) var<storage, read_write> square: array<vec4<f32>>;       // [count], running mean of their squares
@group(0) @binding(4) var<storage, read> values: Step;
@group(0) @binding(5) var<storage, read> norm: array<vec4<f32>>;               // [1]: sum of squares of the whole gradient, ...
@group(0) @binding(6) var<uniform> params: Params;

override DECOUPLED: bool = false;

// The factor that clips the whole gradient, as torch.nn.utils.clip_grad_norm_; 0 when its norm is not finite: skip the step.
fn clip() -> f32 {
    // Compilers may assume that comparisons see finite numbers, so the bits are asked.
    if (bitcast<u32>(norm[0].x) & 0x7f800000u) == 0x7f800000u { return 0.0; }
    let length = sqrt(norm[0].x) + 1e-6;
    return select(values.max_norm / length, 1.0, length <= values.max_norm);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = id.x + id.y * groups.x * 64u;
    let factor = clip();
    if i >= params.count || factor == 0.0 { return; }
    let rate = values.learning_rate * params.rate_multiplier;
    var p = parameters[i];
    var g = gradients[i] * factor;
    // Decay as L2 joins the gradient; decoupled decay shrinks the parameter itself.
    if DECOUPLED { p -= rate * params.decay * p; } else { g += params.decay * p; }
    let m = params.beta1 * mean[i] + (1.0 - params.beta1) * g;
    let v = params.beta2 * square[i] + (1.0 - params.beta2) * g * g;
    mean[i] = m;
    square[i] = v;
    let root = sqrt(v / values.bias_correction2) + params.eps;
    parameters[i] = p - rate / values.bias_correction1 * m / root;
}
