//! One step: its operands looked up and checked, then its kernel.

use bytemuck::Zeroable;

use crate::conv::{Finish, Geometry, Row, product};
use crate::conv_backward::{input_gradient, turned_len, weight_gradient};
use crate::loss::Loss;
use crate::memory::{Line, Memory, wrong};
use crate::method::Method;
use crate::norm;
use crate::pictures::{self, Affine, Gather, Taps};
use crate::pool::Pool;
use crate::pooling::{self, Pooling, Shortcut};
use crate::program::{Conv, Rule, Shape, Span, Step, Window};
use crate::simd::Level;
use crate::winograd::winograd;
use crate::{ConvMethod, Result, elementwise, linear, optimizer};

/// What runs steps.
pub(crate) struct Run<'a> {
    pub memory: &'a mut Memory,
    pub pool: &'a Pool,
    pub level: Level,
    pub turned: &'a mut Vec<Line>,
}

/// A step's name, for its errors.
#[derive(Clone, Copy)]
struct Name(&'static str);

impl Name {
    fn wrong(self, reason: impl Into<String>) -> crate::Error {
        wrong(self.0, reason.into())
    }

    fn expect(self, holds: bool, reason: &str) -> Result<()> {
        if holds { Ok(()) } else { Err(self.wrong(reason)) }
    }

    /// The first `len` values of an operand.
    fn cut<'a>(self, what: &str, values: &'a [f32], len: usize) -> Result<&'a [f32]> {
        let found = values.len();
        values.get(..len).ok_or_else(|| self.short(what, len, found))
    }

    fn cut_mut<'a>(self, what: &str, values: &'a mut [f32], len: usize) -> Result<&'a mut [f32]> {
        let found = values.len();
        values.get_mut(..len).ok_or_else(|| self.short(what, len, found))
    }

    /// The same for an operand that may be missing: nothing.
    fn cut_some<'a>(self, what: &str, span: Option<Span>, values: &'a [f32], len: usize) -> Result<&'a [f32]> {
        if span.is_some() { self.cut(what, values, len) } else { Ok(&[]) }
    }

    fn short(self, what: &str, len: usize, found: usize) -> crate::Error {
        self.wrong(format!("{what} of {found} values, expected {len} or more"))
    }

    fn window(self, window: &Window, input: &Shape, output: &Shape) -> Result<()> {
        self.expect(window.kernel > 0 && window.stride > 0, "a window and its step are at least 1")?;
        self.expect(
            input.n == output.n && input.h > 0 && input.w > 0,
            "input and output have the same images, of at least a pixel",
        )
    }

    fn conv(self, conv: &Conv, method: &ConvMethod, level: Level) -> Result<()> {
        self.window(&conv.window, &conv.input, &conv.output)?;
        self.expect(
            method.supports(conv) && conv.input.c > 0 && conv.output.c > 0,
            "its method does not compute this geometry",
        )?;
        let panel = method.panel as usize;
        let fits = panel == level.lanes() || panel == 2 * level.lanes();
        self.expect(fits, "its weights are packed for another processor; choose the method on the machine that runs it")
    }
}

impl Run<'_> {
    #[allow(clippy::too_many_lines)] // one arm an operation
    pub fn step(&mut self, step: &Step) -> Result<()> {
        let (pool, level) = (self.pool, self.level);
        let padded = |features: u32| (features as usize).next_multiple_of(4);
        match step {
            Step::Copy { from, to } => {
                let name = Name("a copy");
                name.expect(from.bytes == to.bytes, "source and target have the same size")?;
                self.memory.lend(name.0, [Some(*from)], [Some(*to)], |[from], [to]| {
                    to.copy_from_slice(from);
                    Ok(())
                })
            }
            Step::Clear { span } => self.memory.lend("a clear", [], [Some(*span)], |[], [to]| {
                to.fill(0.0);
                Ok(())
            }),
            Step::Conv { conv, method, input, weight, bias, residual, relu, output } => {
                let name = Name("a convolution");
                name.conv(conv, method, level)?;
                let reads = [Some(*input), Some(*weight), *bias, *residual];
                self.memory.lend(name.0, reads, [Some(*output)], |[x, w, b, r], [y]| {
                    let x = name.cut("input", x, conv.input.len())?;
                    let w = name.cut("weights", w, method.packed_len(conv))?;
                    let b = name.cut_some("bias", *bias, b, conv.output.c as usize)?;
                    let r = name.cut_some("residual", *residual, r, conv.output.len())?;
                    let y = name.cut_mut("output", y, conv.output.len())?;
                    let finish = Finish { bias: b, relu: *relu };
                    let channels = conv.output.channels();
                    let rows = y.chunks_exact_mut(channels).enumerate();
                    let rows =
                        rows.map(|(i, to)| Row { to, add: if r.is_empty() { r } else { &r[i * channels..][..channels] } });
                    let (g, panel) = (Geometry::new(conv), method.panel as usize);
                    match method.method {
                        Method::Direct => product(pool, level, &g, x, w, panel, finish, rows.collect()),
                        Method::Winograd2 | Method::Winograd4 => winograd(pool, level, &g, x, w, panel, finish, rows.collect()),
                    }
                    Ok(())
                })
            }
            Step::ConvInputGradient { conv, method, d_output, weight, accumulate, d_input } => {
                let name = Name("a convolution's input gradient");
                name.conv(conv, method, level)?;
                name.expect(method.method == Method::Direct, "gradients are taken by directly packed weights")?;
                let len = turned_len(conv);
                if self.turned.len() * 16 < len {
                    self.turned.resize(len.div_ceil(16), Line::zeroed());
                }
                let turned = bytemuck::cast_slice_mut(self.turned);
                let reads = [Some(*d_output), Some(*weight), *accumulate];
                self.memory.lend(name.0, reads, [Some(*d_input)], |[dy, w, a], [dx]| {
                    let dy = name.cut("d_output", dy, conv.output.len())?;
                    let w = name.cut("weights", w, method.packed_len(conv))?;
                    let a = name.cut_some("accumulate", *accumulate, a, conv.input.len())?;
                    let dx = name.cut_mut("d_input", dx, conv.input.len())?;
                    input_gradient(pool, level, conv, method, dy, w, a, dx, turned);
                    Ok(())
                })
            }
            Step::ConvWeightGradient { conv, method, input, d_output, d_weight } => {
                let name = Name("a convolution's weight gradient");
                name.conv(conv, method, level)?;
                name.expect(method.method == Method::Direct, "gradients are taken by directly packed weights")?;
                self.memory.lend(name.0, [Some(*input), Some(*d_output)], [Some(*d_weight)], |[x, dy], [dw]| {
                    let x = name.cut("input", x, conv.input.len())?;
                    let dy = name.cut("d_output", dy, conv.output.len())?;
                    let dw = name.cut_mut("d_weight", dw, method.packed_len(conv))?;
                    weight_gradient(pool, level, conv, method, x, dy, dw);
                    Ok(())
                })
            }
            Step::ChannelSum { shape, input, sum } => {
                let name = Name("a channel sum");
                self.memory.lend(name.0, [Some(*input)], [Some(*sum)], |[x], [sum]| {
                    let x = name.cut("input", x, shape.len())?;
                    let sum = name.cut_mut("the sum", sum, shape.channels())?;
                    elementwise::channel_sum(pool, level, shape.channels(), x, sum);
                    Ok(())
                })
            }
            Step::NormInference { shape, input, scale, shift, relu, output } => {
                let name = Name("a batch norm");
                self.memory.lend(name.0, [input, scale, shift].map(|s| Some(*s)), [Some(*output)], |[x, a, b], [y]| {
                    let c = shape.channels();
                    let (a, b) = (name.cut("scale", a, c)?, name.cut("shift", b, c)?);
                    let (x, y) = (name.cut("input", x, shape.len())?, name.cut_mut("output", y, shape.len())?);
                    norm::inference(pool, level, x, (a, b), *relu, y);
                    Ok(())
                })
            }
            Step::NormForward {
                shape,
                statistics,
                eps,
                input,
                weight,
                bias,
                running_mean,
                running_var,
                saved,
                residual,
                relu,
                output,
            } => {
                let name = Name("a batch norm in training");
                let (c, len) = (shape.channels(), shape.len());
                let reads = [Some(*input), Some(*weight), Some(*bias), *residual];
                let writes = [running_mean, running_var, saved, output].map(|s| Some(*s));
                self.memory.lend(name.0, reads, writes, |[x, w, b, r], [mean, var, kept, y]| {
                    let params = norm::Params {
                        weight: name.cut("weight", w, c)?,
                        bias: name.cut("bias", b, c)?,
                        running_mean: name.cut_mut("the running mean", mean, c)?,
                        running_var: name.cut_mut("the running variance", var, c)?,
                        eps: *eps,
                    };
                    let x = name.cut("input", x, len)?;
                    let r = name.cut_some("residual", *residual, r, len)?;
                    let (kept, y) = (name.cut_mut("saved", kept, 4 * c)?, name.cut_mut("output", y, len)?);
                    norm::forward(pool, level, *statistics, params, x, r, *relu, kept, y);
                    Ok(())
                })
            }
            Step::NormBackward {
                shape,
                batch,
                input,
                output,
                d_output,
                saved,
                relu,
                residual,
                d_weight,
                d_bias,
                accumulate,
                d_input,
            } => {
                let name = Name("a batch norm's gradient");
                let (c, len) = (shape.channels(), shape.len());
                // An output that is not looked at may be in memory that belongs to another value by now.
                let mask = *relu && *residual;
                let only = |is: bool, span: &Span| is.then_some(*span);
                let reads = [Some(*input), only(mask, output), only(!mask, d_output), Some(*saved), *accumulate];
                let writes = [only(mask, d_output), Some(*d_weight), Some(*d_bias), *d_input];
                self.memory.lend(name.0, reads, writes, |[x, y, dy, kept, a], [masked, dw, db, dx]| {
                    let call = norm::Backward {
                        batch: *batch,
                        input: name.cut("input", x, len)?,
                        output: name.cut("output", y, if mask { len } else { 0 })?,
                        saved: name.cut("saved", kept, 4 * c)?,
                        relu: *relu && !mask,
                        accumulate: name.cut_some("accumulate", *accumulate, a, len)?,
                    };
                    let gradient = match mask {
                        true => norm::Gradient::Masked(name.cut_mut("d_output", masked, len)?),
                        false => norm::Gradient::Read(name.cut("d_output", dy, len)?),
                    };
                    let (dw, db) = (name.cut_mut("d_weight", dw, c)?, name.cut_mut("d_bias", db, c)?);
                    let dx = name.cut_mut("d_input", dx, if d_input.is_some() { len } else { 0 })?;
                    norm::backward(pool, level, &call, gradient, dw, db, dx);
                    Ok(())
                })
            }
            Step::Relu { count, input, output } => {
                let (name, count) = (Name("a ReLU"), *count as usize);
                self.memory.lend(name.0, [Some(*input)], [Some(*output)], |[x], [y]| {
                    elementwise::relu(pool, level, name.cut("input", x, count)?, name.cut_mut("output", y, count)?);
                    Ok(())
                })
            }
            Step::ReluBackward { count, output, d_output, accumulate, d_input } => {
                let (name, count) = (Name("a ReLU's gradient"), *count as usize);
                self.memory.lend(name.0, [Some(*output), Some(*d_output), *accumulate], [Some(*d_input)], |[y, dy, a], [dx]| {
                    let (y, dy) = (name.cut("output", y, count)?, name.cut("d_output", dy, count)?);
                    let a = name.cut_some("accumulate", *accumulate, a, count)?;
                    elementwise::relu_backward(pool, level, y, dy, a, name.cut_mut("d_input", dx, count)?);
                    Ok(())
                })
            }
            Step::Add { count, a, b, relu, output } => {
                let (name, count) = (Name("an addition"), *count as usize);
                self.memory.lend(name.0, [Some(*a), Some(*b)], [Some(*output)], |[a, b], [y]| {
                    let (a, b) = (name.cut("the first addend", a, count)?, name.cut("the second addend", b, count)?);
                    elementwise::add(pool, level, a, b, *relu, name.cut_mut("output", y, count)?);
                    Ok(())
                })
            }
            Step::MaxPool { input_shape, output_shape, window, zeros, input, argmax, output } => {
                let name = Name("a max pool");
                let call = Pooling { input: *input_shape, output: *output_shape, window: *window };
                name.window(window, input_shape, output_shape)?;
                name.expect(input_shape.c == output_shape.c, "input and output have the same channels")?;
                name.expect(argmax.is_none() || window.kernel <= 15, "places of windows over 15x15 do not fit a byte")?;
                self.memory.lend(name.0, [Some(*input)], [*argmax, Some(*output)], |[x], [places, y]| {
                    let x = name.cut("input", x, input_shape.len())?;
                    let y = name.cut_mut("output", y, output_shape.len())?;
                    let places = match argmax {
                        Some(_) => Some(name.cut_mut("argmax", places, output_shape.len() / 4)?),
                        None => None,
                    };
                    pooling::max_pool(pool, level, &call, *zeros, x, places.map(bytemuck::cast_slice_mut), y);
                    Ok(())
                })
            }
            Step::MaxPoolBackward { input_shape, output_shape, window, argmax, d_output, accumulate, d_input } => {
                let name = Name("a max pool's gradient");
                let call = Pooling { input: *input_shape, output: *output_shape, window: *window };
                name.window(window, input_shape, output_shape)?;
                name.expect(input_shape.c == output_shape.c, "input and output have the same channels")?;
                let reads = [Some(*argmax), Some(*d_output), *accumulate];
                self.memory.lend(name.0, reads, [Some(*d_input)], |[places, dy, a], [dx]| {
                    let places = bytemuck::cast_slice(name.cut("argmax", places, output_shape.len() / 4)?);
                    let dy = name.cut("d_output", dy, output_shape.len())?;
                    let a = name.cut_some("accumulate", *accumulate, a, input_shape.len())?;
                    let dx = name.cut_mut("d_input", dx, input_shape.len())?;
                    pooling::max_pool_backward(pool, level, &call, places, dy, a, dx);
                    Ok(())
                })
            }
            Step::AvgPool { input_shape, output_shape, window, input, output } => {
                let name = Name("an average pool of windows");
                let call = Pooling { input: *input_shape, output: *output_shape, window: *window };
                name.window(window, input_shape, output_shape)?;
                name.expect(input_shape.c == output_shape.c, "input and output have the same channels")?;
                self.memory.lend(name.0, [Some(*input)], [Some(*output)], |[x], [y]| {
                    let x = name.cut("input", x, input_shape.len())?;
                    pooling::avg_pool(pool, level, &call, x, name.cut_mut("output", y, output_shape.len())?);
                    Ok(())
                })
            }
            Step::AvgPoolBackward { input_shape, output_shape, window, d_output, accumulate, d_input } => {
                let name = Name("the gradient of an average pool of windows");
                let call = Pooling { input: *input_shape, output: *output_shape, window: *window };
                name.window(window, input_shape, output_shape)?;
                name.expect(input_shape.c == output_shape.c, "input and output have the same channels")?;
                self.memory.lend(name.0, [Some(*d_output), *accumulate], [Some(*d_input)], |[dy, a], [dx]| {
                    let dy = name.cut("d_output", dy, output_shape.len())?;
                    let a = name.cut_some("accumulate", *accumulate, a, input_shape.len())?;
                    let dx = name.cut_mut("d_input", dx, input_shape.len())?;
                    pooling::avg_pool_backward(pool, level, &call, dy, a, dx);
                    Ok(())
                })
            }
            Step::GlobalAvgPool { shape, input, output } => {
                let name = Name("an average pool");
                let (pixels, c) = ((shape.h * shape.w) as usize, shape.channels());
                name.expect(pixels * c > 0, "an image of at least a pixel")?;
                self.memory.lend(name.0, [Some(*input)], [Some(*output)], |[x], [y]| {
                    let y = name.cut_mut("output", y, shape.n as usize * c)?;
                    pooling::global_avg_pool(pool, level, pixels, c, name.cut("input", x, shape.len())?, y);
                    Ok(())
                })
            }
            Step::GlobalAvgPoolBackward { shape, d_output, accumulate, d_input } => {
                let name = Name("an average pool's gradient");
                let (pixels, c) = ((shape.h * shape.w) as usize, shape.channels());
                name.expect(pixels * c > 0, "an image of at least a pixel")?;
                self.memory.lend(name.0, [Some(*d_output), *accumulate], [Some(*d_input)], |[dy, a], [dx]| {
                    let dy = name.cut("d_output", dy, shape.n as usize * c)?;
                    let a = name.cut_some("accumulate", *accumulate, a, shape.len())?;
                    pooling::global_avg_pool_backward(pool, pixels, c, dy, a, name.cut_mut("d_input", dx, shape.len())?);
                    Ok(())
                })
            }
            Step::Shortcut { input_shape, output_shape, stride, offset, input, output } => {
                let name = Name("a shortcut");
                let call = shortcut(name, input_shape, output_shape, *stride, *offset)?;
                self.memory.lend(name.0, [Some(*input)], [Some(*output)], |[x], [y]| {
                    let y = name.cut_mut("output", y, output_shape.len())?;
                    call.forward(pool, name.cut("input", x, input_shape.len())?, y);
                    Ok(())
                })
            }
            Step::ShortcutBackward { input_shape, output_shape, stride, offset, d_output, accumulate, d_input } => {
                let name = Name("a shortcut's gradient");
                let call = shortcut(name, input_shape, output_shape, *stride, *offset)?;
                self.memory.lend(name.0, [Some(*d_output), *accumulate], [Some(*d_input)], |[dy, a], [dx]| {
                    let dy = name.cut("d_output", dy, output_shape.len())?;
                    let a = name.cut_some("accumulate", *accumulate, a, input_shape.len())?;
                    call.backward(pool, dy, a, name.cut_mut("d_input", dx, input_shape.len())?);
                    Ok(())
                })
            }
            Step::Linear { batch, inputs, outputs, input, weight, bias, output } => {
                let name = Name("a linear layer");
                let (n, i, o) = (*batch as usize, padded(*inputs), padded(*outputs));
                name.expect(i * o > 0, "at least one input and one output")?;
                self.memory.lend(name.0, [input, weight, bias].map(|s| Some(*s)), [Some(*output)], |[x, w, b], [y]| {
                    let (x, w) = (name.cut("input", x, n * i)?, name.cut("weights", w, i * o)?);
                    let (b, y) = (name.cut("bias", b, o)?, name.cut_mut("output", y, n * o)?);
                    linear::forward(pool, level, (i, o), x, w, b, y);
                    Ok(())
                })
            }
            Step::LinearInputGradient { batch, inputs, outputs, d_output, weight, d_input } => {
                let name = Name("a linear layer's input gradient");
                let (n, i, o) = (*batch as usize, padded(*inputs), padded(*outputs));
                name.expect(i * o > 0, "at least one input and one output")?;
                self.memory.lend(name.0, [Some(*d_output), Some(*weight)], [Some(*d_input)], |[dy, w], [dx]| {
                    let (dy, w) = (name.cut("d_output", dy, n * o)?, name.cut("weights", w, i * o)?);
                    linear::input_gradient(pool, level, (i, o), dy, w, name.cut_mut("d_input", dx, n * i)?);
                    Ok(())
                })
            }
            Step::LinearWeightGradient { batch, inputs, outputs, input, d_output, d_weight, d_bias } => {
                let name = Name("a linear layer's weight gradient");
                let (n, i, o) = (*batch as usize, padded(*inputs), padded(*outputs));
                name.expect(i * o > 0, "at least one input and one output")?;
                let writes = [Some(*d_weight), Some(*d_bias)];
                self.memory.lend(name.0, [Some(*input), Some(*d_output)], writes, |[x, dy], [dw, db]| {
                    let (x, dy) = (name.cut("input", x, n * i)?, name.cut("d_output", dy, n * o)?);
                    let (dw, db) = (name.cut_mut("d_weight", dw, i * o)?, name.cut_mut("d_bias", db, o)?);
                    linear::weight_gradient(pool, level, (i, o), x, dy, dw, db);
                    Ok(())
                })
            }
            Step::Softmax { batch, channels, input, output } => {
                let name = Name("a softmax");
                let (c, row) = (*channels as usize, padded(*channels));
                name.expect(c > 0, "at least one channel")?;
                self.memory.lend(name.0, [Some(*input)], [Some(*output)], |[x], [y]| {
                    let len = *batch as usize * row;
                    elementwise::softmax(name.cut("input", x, len)?, c, row, name.cut_mut("output", y, len)?);
                    Ok(())
                })
            }
            Step::Loss {
                batch,
                classes,
                sigmoid,
                even,
                smoothing,
                share,
                logits,
                targets,
                class_weights,
                d_logits,
                rows,
                totals,
            } => {
                let name = Name("a loss");
                let (n, row) = (*batch as usize, padded(*classes));
                name.expect(row > 0, "at least one class")?;
                let reads = [logits, targets, class_weights].map(|s| Some(*s));
                self.memory.lend(name.0, reads, [*d_logits, Some(*rows), Some(*totals)], |[x, t, w], [dx, rows, totals]| {
                    let loss = Loss {
                        classes: *classes as usize,
                        padded: row,
                        sigmoid: *sigmoid,
                        even: *even,
                        smoothing: *smoothing,
                        share: *share,
                        logits: name.cut("logits", x, n * row)?,
                        targets: bytemuck::cast_slice(name.cut("targets", t, n * 4)?),
                        class_weights: name.cut("class weights", w, row)?,
                    };
                    let dx = name.cut_mut("d_logits", dx, if d_logits.is_some() { n * row } else { 0 })?;
                    let rows = name.cut_mut("rows", rows, n * 4)?.as_chunks_mut().0;
                    loss.run(rows, dx, name.cut_mut("totals", totals, 8)?);
                    Ok(())
                })
            }
            Step::ClassMap { shape, features, weights, map } => {
                let name = Name("a class map");
                let (pixels, c) = ((shape.h * shape.w) as usize, shape.channels());
                name.expect(c > 0, "at least one channel")?;
                self.memory.lend(name.0, [Some(*features), Some(*weights)], [Some(*map)], |[x, w], [map]| {
                    let (x, w) = (name.cut("features", x, pixels * c)?, name.cut("weights", w, c)?);
                    elementwise::class_map(x, w, name.cut_mut("the map", map, pixels)?);
                    Ok(())
                })
            }
            Step::GradientNorm { gradients, norm } => {
                let name = Name("a gradient norm");
                let mut sum = 0.0;
                for gradient in gradients {
                    sum += self.memory.lend(name.0, [Some(*gradient)], [], |[g], []| Ok(optimizer::squares(pool, level, g)))?;
                }
                self.memory.lend(name.0, [], [Some(*norm)], |[], [norm]| {
                    let norm = name.cut_mut("the norm", norm, 4)?;
                    // Squares beyond f32 are not finite, as where sums are f32.
                    let sum = sum as f32;
                    let skipped = norm[1] + f32::from(u8::from(!sum.is_finite()));
                    norm.copy_from_slice(&[sum, skipped, sum.sqrt(), 0.0]);
                    Ok(())
                })
            }
            Step::Update { rule, params, gradients, state, values, norm, multiplier, decay, decoupled } => {
                let name = Name("an update");
                let wanted = match rule {
                    Rule::Sgd => 0,
                    Rule::Momentum { .. } => 1,
                    Rule::Adam { .. } => 2,
                };
                name.expect(state.len() == wanted, "as many buffers of state as its rule has")?;
                let reads = [gradients, values, norm].map(|s| Some(*s));
                let writes = [Some(*params), state.first().copied(), state.get(1).copied()];
                self.memory.lend(name.0, reads, writes, |[g, values, norm], [p, first, second]| {
                    let (len, values) = (p.len(), name.cut("step values", values, 5)?);
                    let squares = name.cut("the norm", norm, 1)?[0];
                    if !squares.is_finite() {
                        return Ok(());
                    }
                    let call = optimizer::Update {
                        rule: *rule,
                        rate: values[0] * multiplier,
                        correction1: values[2],
                        correction2: values[3],
                        clip: optimizer::clip(squares, values[4]),
                        decay: *decay,
                        decoupled: *decoupled,
                    };
                    let of = |which: usize| if wanted > which { len } else { 0 };
                    let first = name.cut_mut("optimizer state", first, of(0))?;
                    let second = name.cut_mut("optimizer state", second, of(1))?;
                    optimizer::update(pool, level, &call, p, name.cut("gradients", g, len)?, first, second);
                    Ok(())
                })
            }
            Step::Augment {
                output_shape,
                picture_height,
                picture_width,
                chunk_pictures,
                bgr,
                fill,
                factor,
                offset,
                draws,
                bank,
                output,
            } => {
                let name = Name("an augmentation");
                const CHUNKS: usize = 8;
                let positive = *picture_height > 0 && *picture_width > 0 && *chunk_pictures > 0;
                name.expect(positive && matches!(output_shape.c, 1 | 3), "pictures of at least a pixel, of 3 channels or 1")?;
                name.expect(bank.len() <= CHUNKS, "a bank of at most 8 chunks")?;
                let mut reads = [None; CHUNKS + 1];
                reads[CHUNKS] = Some(*draws);
                reads.iter_mut().zip(bank).for_each(|(read, chunk)| *read = Some(*chunk));
                self.memory.lend(name.0, reads, [Some(*output)], |reads, [y]| {
                    let chunks: Vec<&[u8]> = reads[..bank.len()].iter().map(|chunk| bytemuck::cast_slice(chunk)).collect();
                    let gather = Gather {
                        height: output_shape.h as usize,
                        width: output_shape.w as usize,
                        picture_height: *picture_height as usize,
                        picture_width: *picture_width as usize,
                        channels: output_shape.c as usize,
                        chunk_pictures: *chunk_pictures as usize,
                        bank: &chunks,
                        draws: bytemuck::cast_slice(name.cut("draws", reads[CHUNKS], output_shape.n as usize * 28)?),
                        affine: Affine { bgr: *bgr, factor: *factor, offset: *offset },
                        fill: *fill,
                    };
                    gather.run(pool, name.cut_mut("output", y, output_shape.len())?);
                    Ok(())
                })
            }
            Step::Gather { rows, row, bank, indices, output } => {
                let name = Name("a gather");
                let (rows, row) = (*rows as usize, *row as usize);
                self.memory.lend(name.0, [Some(*bank), Some(*indices)], [Some(*output)], |[bank, indices], [y]| {
                    let indices = bytemuck::cast_slice(name.cut("indices", indices, rows)?);
                    elementwise::gather(bank, indices, row, name.cut_mut("output", y, rows * row)?);
                    Ok(())
                })
            }
            Step::ResizeRows {
                columns,
                rows,
                source_width,
                source_row,
                first_row,
                stride,
                source,
                bounds,
                weights,
                middle,
            } => {
                let name = Name("a resize's first pass");
                let (columns, rows, width) = (*columns as usize, *rows as usize, *source_width as usize);
                name.expect(columns * width > 0, "at least one column")?;
                let reads = [source, bounds, weights].map(|s| Some(*s));
                self.memory.lend(name.0, reads, [Some(*middle)], |[source, bounds, weights], [middle]| {
                    let first = *source_row as usize * width;
                    let source = &name.cut("the picture", source, first + rows * width)?[first..];
                    let taps = taps(name, bounds, weights, columns, *stride as usize, width)?;
                    let first = *first_row as usize * columns;
                    let middle = &mut name.cut_mut("the half-resized picture", middle, first + rows * columns)?[first..];
                    pictures::resize_rows(pool, taps, width, bytemuck::cast_slice(source), bytemuck::cast_slice_mut(middle));
                    Ok(())
                })
            }
            Step::ResizeColumns {
                width,
                height,
                images,
                rows,
                first_image,
                stride,
                bgr,
                factor,
                offset,
                middle,
                bounds,
                weights,
                output,
            } => {
                let name = Name("a resize's second pass");
                let (width, height, images) = (*width as usize, *height as usize, *images as usize);
                name.expect(width * height > 0, "at least one pixel")?;
                let reads = [middle, bounds, weights].map(|s| Some(*s));
                self.memory.lend(name.0, reads, [Some(*output)], |[middle, bounds, weights], [y]| {
                    let rows = *rows as usize;
                    let middle = name.cut("the half-resized picture", middle, images * rows * width)?;
                    let taps = taps(name, bounds, weights, height, *stride as usize, rows)?;
                    let image = height * width * 4;
                    let first = *first_image as usize * image;
                    let y = &mut name.cut_mut("output", y, first + images * image)?[first..];
                    let affine = Affine { bgr: *bgr, factor: *factor, offset: *offset };
                    pictures::resize_columns(pool, taps, (rows, width), &affine, bytemuck::cast_slice(middle), y);
                    Ok(())
                })
            }
        }
    }
}

fn taps<'a>(name: Name, bounds: &'a [f32], weights: &'a [f32], count: usize, stride: usize, inputs: usize) -> Result<Taps<'a>> {
    let bounds = bytemuck::cast_slice(name.cut("bounds", bounds, 2 * count)?);
    let weights = bytemuck::cast_slice(name.cut("weights", weights, stride * count)?);
    let taps = Taps { bounds, weights, stride };
    name.expect(taps.end() <= inputs, "bounds within the picture")?;
    Ok(taps)
}

fn shortcut(name: Name, input: &Shape, output: &Shape, stride: u32, offset: u32) -> Result<Shortcut> {
    name.window(&Window { kernel: 1, stride, pad_top: 0, pad_left: 0 }, input, output)?;
    name.expect(offset <= output.c, "an offset within the output's channels")?;
    Ok(Shortcut { input: *input, output: *output, stride: stride as usize, offset: offset as usize })
}
