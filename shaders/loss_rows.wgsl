// Cross-entropy of every image, by softmax or by sigmoid, with its gradient, rank and confidence: one workgroup an
// image, each of its THREADS every THREADS-th vec4 of classes.
// uses: shared/finite.wgsl
// uses: shared/loss_target.wgsl

struct Params {
    batch: u32,
    classes: u32,
    c4: u32,
    smoothing: f32,
    share: f32,         // factor on the gradient
    not_a_number: u32,  // its bits; WGSL has no literal for it
}

@group(0) @binding(0) var<storage, read> logits: array<vec4<Elem>>;           // [batch][c4]
@group(0) @binding(1) var<storage, read> targets: array<Target>;              // [batch]
@group(0) @binding(2) var<storage, read> class_weights: array<vec4<f32>>;     // [c4]
@group(0) @binding(3) var<storage, read_write> d_logits: array<vec4<Elem>>;   // [batch][c4]; not touched without GRADIENT
@group(0) @binding(4) var<storage, read_write> rows: array<vec4<f32>>;        // [batch]: loss, rank, confidence, predicted
@group(0) @binding(5) var<uniform> params: Params;

override SIGMOID: bool = false;
override EVEN: bool = false;    // rows count the same in the mean, else by their classes
override GRADIENT: bool = true;
override THREADS: u32 = 64u;

var<workgroup> partial: array<vec4<f32>, THREADS>;

// What a row counts in the mean by its class.
fn class_weight(c: u32) -> f32 {
    if EVEN { return 1.0; }
    return class_weights[c / 4u][c % 4u];
}

// The smoothed target of four classes.
fn wanted(c: vec4<u32>, goal: Target) -> vec4<f32> {
    let hot = goal.lambda * vec4<f32>(c == vec4<u32>(goal.label))
        + (1.0 - goal.lambda) * vec4<f32>(c == vec4<u32>(goal.other));
    let even = select(1.0 / f32(params.classes), 0.5, SIGMOID);
    return hot * (1.0 - params.smoothing) + params.smoothing * even;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.x * params.c4;
    // arrayLength hides the uniform bounds: llvmpipe would compile the shader anew at every dispatch to make them constants.
    let batch = min(params.batch, arrayLength(&targets));
    let c4 = min(params.c4, arrayLength(&logits));
    let classes = vec4<u32>(params.classes);
    let lanes = vec4<u32>(0u, 1u, 2u, 3u);
    let goal = targets[group.x];

    // The largest logit, the first of equals; whether all are finite; what the whole batch weighs.
    var high = -3.4e38;
    var predicted = 0.0;
    var broken = 0.0;
    for (var i = thread; i < c4; i += THREADS) {
        let x = vec4<f32>(logits[row + i]);
        for (var k = 0u; k < 4u; k++) {
            let c = i * 4u + k;
            if c < params.classes {
                if !finite(x[k]) { broken = 1.0; }
                if x[k] > high {
                    high = x[k];
                    predicted = f32(c);
                }
            }
        }
    }
    var weights = 0.0;
    for (var n = thread; n < batch; n += THREADS) {
        weights += row_weight(targets[n], class_weight(targets[n].label), class_weight(targets[n].other));
    }
    partial[thread] = vec4<f32>(high, predicted, broken, weights);
    workgroupBarrier();
    weights = 0.0;
    for (var k = 0u; k < THREADS; k++) {
        let other = partial[k];
        if other.x > high || (other.x == high && other.y < predicted) {
            high = other.x;
            predicted = other.y;
        }
        broken = max(broken, other.z);
        weights += other.w;
    }
    workgroupBarrier();

    // Softmax: x = sum of exponentials, y = sum of target * weight, z = sum of target * weight * distance to the maximum.
    // Sigmoid: x = the loss. Both: w = how many classes come before the label's.
    let label = select(goal.other, goal.label, goal.lambda >= 0.5);
    let x_label = f32(logits[row + label / 4u][label % 4u]);
    var sums = vec4<f32>();
    for (var i = thread; i < c4; i += THREADS) {
        let c = i * 4u + lanes;
        let x = vec4<f32>(logits[row + i]);
        let w = class_weights[i];
        let q = wanted(c, goal);
        let inside = c < classes;
        if SIGMOID {
            // log(1 + exp(x)) - q * x
            let loss = max(x, vec4<f32>()) + log(1.0 + exp(-abs(x))) - q * x;
            sums.x += dot(w, select(vec4<f32>(), loss, inside)) / f32(params.classes);
        } else {
            let distance = x - high;
            sums.x += dot(vec4<f32>(1.0), select(vec4<f32>(), exp(distance), inside));
            sums.y += dot(w, select(vec4<f32>(), q, inside));
            sums.z += dot(w, select(vec4<f32>(), q * distance, inside));
        }
        let before = (x > vec4<f32>(x_label)) | ((x == vec4<f32>(x_label)) & (c < vec4<u32>(label)));
        sums.w += dot(vec4<f32>(1.0), vec4<f32>(before & inside));
    }
    partial[thread] = sums;
    workgroupBarrier();
    sums = vec4<f32>();
    for (var k = 0u; k < THREADS; k++) { sums += partial[k]; }

    let counts = goal.weight != 0.0;
    broken = select(broken, 1.0, goal.label >= params.classes || goal.other >= params.classes);
    let not_a_number = bitcast<f32>(params.not_a_number);
    if thread == 0u {
        let loss = select(log(sums.x) * sums.y - sums.z, sums.x, SIGMOID);
        let e = exp(-abs(high));
        let confidence = select(1.0 / sums.x, select(e, 1.0, high >= 0.0) / (1.0 + e), SIGMOID);
        var result = vec4<f32>(loss, sums.w, confidence, predicted);
        if broken > 0.0 { result = vec4<f32>(not_a_number, f32(params.classes), 0.0, predicted); }
        rows[group.x] = select(vec4<f32>(), result, counts);
    }
    if GRADIENT {
        let factor = select(0.0, params.share * goal.weight / weights, weights > 0.0);
        for (var i = thread; i < c4; i += THREADS) {
            let c = i * 4u + lanes;
            let x = vec4<f32>(logits[row + i]);
            let w = class_weights[i];
            let q = wanted(c, goal);
            var d = vec4<f32>();
            if SIGMOID {
                let e = exp(-abs(x));
                let sigmoid = select(e, vec4<f32>(1.0), x >= vec4<f32>()) / (1.0 + e);
                d = w * (sigmoid - q) * (factor / f32(params.classes));
            } else {
                d = (exp(x - high) / sums.x * sums.y - w * q) * factor;
            }
            // A gradient that is no number keeps the optimizer from taking this step.
            if broken > 0.0 { d = vec4<f32>(not_a_number); }
            d_logits[row + i] = vec4<Elem>(select(vec4<f32>(), d, (c < classes) & vec4<bool>(counts)));
        }
    }
}
