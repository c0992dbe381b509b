//! The way through the graph of a pre-activation net: norm and ReLU stand before each convolution, and no ReLU follows an addition.
//!
//! Exporters fold a norm into the convolution before it, which then has a bias. The first norm of a block and the last of all follow an
//! addition and stay; of the others only that bias is left.

use super::onnx_read::{Walk, strange};

/// A block.
struct Block {
    /// Its convolutions in order, each with the norm in front of it where that is still there; the first's always is.
    convs: Vec<(usize, Option<usize>)>,
    add: usize,
}

impl<'a> Walk<'_, 'a> {
    /// The stem's convolutions, where the last has no ReLU behind it.
    pub(super) fn pre_activated(&self, first: usize) -> Option<Vec<usize>> {
        let mut convs = vec![first];
        while convs.len() < 4 {
            let (_, value) = self.after_conv(convs[convs.len() - 1]);
            let Some(relu) = self.only_relu(value) else { return Some(convs) };
            let next = self.only(self.output(relu)).filter(|&node| self.op(node) == "Conv")?;
            convs.push(next);
        }
        None
    }

    /// Follows the net from its stem on.
    pub(super) fn pre_activation(&mut self, stem: &[usize]) -> Result<(), String> {
        match *stem {
            [only] => self.conv("conv1", only)?,
            [first, second, third] => {
                for (conv, name, norm) in [(first, "conv1.0", "conv1.1"), (second, "conv1.3", "conv1.4")] {
                    self.conv(name, conv)?;
                    let (there, _) = self.after_conv(conv);
                    self.norm_or_bias(norm, there, name)?;
                }
                self.conv("conv1.6", third)?;
            }
            _ => return Err(strange(&format!("a stem of {} convolutions", stem.len()))),
        }
        let mut value = self.max_pool(self.output(stem[stem.len() - 1]));
        let (mut stage, mut unit) = (0, 0);
        while let Some(norm) = self.readers(value).iter().copied().find(|&node| self.op(node) == "BatchNormalization") {
            let relu = self.only_relu(self.output(norm)).ok_or_else(|| strange("no ReLU after a norm"))?;
            let active = self.output(relu);
            let Some(block) = self.readers(active).iter().find_map(|&node| self.block(node, norm)) else {
                // The last norm of all.
                self.norm("norm", Some(norm))?;
                value = active;
                break;
            };
            let shortcut = self.readers(active).iter().find_map(|&node| self.shortcut(node, block.add));
            if stage == 0 || shortcut.is_some() {
                (stage, unit) = (stage + 1, 0);
            }
            let name = format!("layer{stage}.{unit}");
            if let Some((pool, conv)) = shortcut {
                if let Some(pool) = pool {
                    self.is_halving(pool)?;
                }
                self.conv(&format!("{name}.downsample.{}", usize::from(pool.is_some())), conv)?;
            }
            for (j, &(conv, norm)) in block.convs.iter().enumerate() {
                if unit > 0 && self.int(conv, "strides").is_some_and(|stride| stride > 1) {
                    return Err(strange("a stride in a later block of a stage, as in TF-slim's and Keras' nets"));
                }
                self.norm_or_bias(&format!("{name}.bn{}", j + 1), norm, &format!("{name}.conv{j}"))?;
                self.conv(&format!("{name}.conv{}", j + 1), conv)?;
            }
            value = self.output(block.add);
            unit += 1;
            if stage * 10_000 + unit > 2_000_000 {
                return Err(strange("it has no end"));
            }
        }
        if stage == 0 {
            return Err(strange("no residual block after the stem"));
        }
        self.head(value)
    }

    /// A norm, or what is left of it: the bias of the convolution before.
    fn norm_or_bias(&mut self, name: &str, norm: Option<usize>, before: &str) -> Result<(), String> {
        if norm.is_some() {
            return self.norm(name, norm);
        }
        let bias = self.tensors.shift_remove(&format!("{before}.bias"));
        let bias = bias.ok_or_else(|| strange(&format!("no norm after `{before}`, and no bias of one")))?;
        self.tensors.insert(format!("{name}.bias"), bias);
        Ok(())
    }

    /// The block whose first convolution is `node`: two of them or more on the way to an addition.
    fn block(&self, node: usize, norm: usize) -> Option<Block> {
        let mut convs = vec![(node, Some(norm))];
        for _ in 0..8 {
            let (conv, _) = convs[convs.len() - 1];
            if self.op(conv) != "Conv" {
                return None;
            }
            let (norm, value) = self.after_conv(conv);
            let next = self.only(value)?;
            match self.op(next) {
                "Add" => return (convs.len() > 1 && norm.is_none()).then_some(Block { convs, add: next }),
                "Relu" => convs.push((self.only(self.output(next))?, norm)),
                _ => return None,
            }
        }
        None
    }

    /// The projection that reads the activated value: an average pool, if there is one, and the convolution.
    fn shortcut(&self, node: usize, add: usize) -> Option<(Option<usize>, usize)> {
        let (pool, conv) = match self.op(node) {
            "Conv" => (None, node),
            "AveragePool" => (Some(node), self.only(self.output(node))?),
            _ => return None,
        };
        (self.op(conv) == "Conv" && self.only(self.output(conv)) == Some(add)).then_some((pool, conv))
    }
}
