//! The one builder that turns a [`ResNetSpec`]'s table into layers. It reads as the network does: stem, stages of blocks, head.

use super::graph::{Graph, ValueId};
use super::resnet::{BlockOrder, ConvBias, Pool, ResNetSpec, Shortcut, Stage, StemPool, StrideOn, StrideUnit};
use crate::Result;
use crate::ops::{
    Add, AvgPool, BatchNorm, Conv2d, Flatten, GlobalAvgPool, GroupedConv2d, Input, Linear, MaxPool, Padding, Relu, Softmax,
    ZeroPadShortcut,
};

impl ResNetSpec {
    /// Checks the table and builds the layers.
    ///
    /// # Errors
    /// [`Error::Spec`](crate::Error::Spec) with the rule that is broken.
    pub fn build(&self) -> Result<Graph> {
        self.validate()?;
        let mut builder = Builder { spec: self, graph: Graph::default() };
        builder.network()?;
        Ok(builder.graph)
    }
}

struct Builder<'a> {
    spec: &'a ResNetSpec,
    graph: Graph,
}

impl Builder<'_> {
    fn network(&mut self) -> Result<()> {
        let spec = self.spec;
        let stem = spec.stem;
        let mut x = self.graph.push("input", Input { channels: spec.image_channels }, &[]);
        if !stem.is_none() {
            x = self.stem(x);
        }
        if stem.norm {
            x = self.norm("bn1", x, stem.channels);
        }
        if stem.relu {
            x = self.graph.push("relu", Relu, &[x]);
        }
        if let Some(StemPool { kernel, stride, padding, zeros }) = stem.pool {
            x = self.graph.push("maxpool", MaxPool { kernel, stride, padding, zeros }, &[x]);
        }
        let mut channels = spec.first_channels();
        for (k, stage) in spec.stages.iter().enumerate() {
            for unit in 0..stage.blocks {
                let carries = match spec.stride_unit {
                    StrideUnit::First => unit == 0,
                    StrideUnit::Last => unit + 1 == stage.blocks,
                };
                let stride = if carries { stage.stride } else { 1 };
                let name = format!("layer{}.{unit}", k + 1);
                x = if spec.is_pre_activation() {
                    // A stem that ends in norm and ReLU has pre-activated the very first block already (Keras' CIFAR v2).
                    let activated = stem.relu && stem.norm && k == 0 && unit == 0;
                    self.pre_activation_block(&name, x, channels, stage, stride, activated)
                } else {
                    self.post_activation_block(&name, x, channels, stage, stride)
                };
                channels = stage.channels;
            }
            self.graph.aliases.push((format!("layer{}", k + 1), x));
        }
        if spec.is_pre_activation() && spec.final_norm {
            x = self.norm("norm", x, channels);
            x = self.graph.push("norm.relu", Relu, &[x]);
        }
        let mut features = channels;
        match spec.pool {
            Pool::Global => x = self.graph.push("avgpool", GlobalAvgPool, &[x]),
            Pool::Average(pool) => {
                let layer = AvgPool { kernel: pool.kernel, stride: pool.stride, padding: pool.padding };
                let map = self.graph.push("pool", layer, &[x]);
                x = self.graph.push("avgpool", Flatten, &[map]);
                features = self.graph.shapes(1, pool.image, pool.image)?[x.0].c;
            }
            Pool::None => {
                if let Some(classes) = spec.classes {
                    let conv = Conv2d {
                        in_channels: channels,
                        out_channels: classes,
                        kernel: 1,
                        stride: 1,
                        padding: Padding::Symmetric,
                        bias: true,
                    };
                    self.graph.push("fc", conv, &[x]);
                }
                return Ok(());
            }
        }
        if let Some(classes) = spec.classes {
            // Several layers are numbered as in a sequence with their ReLUs.
            for (i, &width) in spec.head.iter().enumerate() {
                let linear = Linear { in_features: features, out_features: width };
                x = self.graph.push(format!("fc.{}", 2 * i), linear, &[x]);
                x = self.graph.push(format!("fc.{}", 2 * i + 1), Relu, &[x]);
                features = width;
            }
            let name = if spec.head.is_empty() { "fc".into() } else { format!("fc.{}", 2 * spec.head.len()) };
            x = self.graph.push(name, Linear { in_features: features, out_features: classes }, &[x]);
            if !spec.head.is_empty() {
                self.graph.aliases.push(("fc".into(), x));
            }
            self.graph.push("softmax", Softmax, &[x]);
        }
        Ok(())
    }

    /// The convolutions before the first stage.
    fn stem(&mut self, x: ValueId) -> ValueId {
        let (stem, mut channels) = (self.spec.stem, self.spec.image_channels);
        let Some(deep) = stem.deep else {
            return self.conv("conv1", x, channels, stem.channels, stem.kernel, stem.stride, stem.norm);
        };
        // Numbered as in a sequence with their norms and ReLUs.
        let mut x = x;
        for (i, width) in deep.into_iter().enumerate() {
            let stride = if i == 0 { stem.stride } else { 1 };
            x = self.conv(&format!("conv1.{}", 3 * i), x, channels, width, stem.kernel, stride, true);
            x = self.norm(&format!("conv1.{}", 3 * i + 1), x, width);
            x = self.graph.push(format!("conv1.{}", 3 * i + 2), Relu, &[x]);
            channels = width;
        }
        self.conv("conv1.6", x, channels, stem.channels, stem.kernel, 1, stem.norm)
    }

    /// The residual branch's convolutions as `(in, out, kernel, stride)`.
    fn branch(&self, channels: usize, stage: &Stage, stride: usize) -> Vec<(usize, usize, usize, usize)> {
        match stage.bottleneck {
            None => vec![(channels, stage.channels, 3, stride), (stage.channels, stage.channels, 3, 1)],
            Some(width) => {
                let (first, second) = match self.spec.stride_on {
                    StrideOn::Conv1x1 => (stride, 1),
                    StrideOn::Conv3x3 => (1, stride),
                };
                vec![(channels, width, 1, first), (width, width, 3, second), (width, stage.channels, 1, 1)]
            }
        }
    }

    fn post_activation_block(&mut self, name: &str, input: ValueId, channels: usize, stage: &Stage, stride: usize) -> ValueId {
        let convs = self.branch(channels, stage, stride);
        let mut x = input;
        let mut shortcut = input;
        for (j, &(i, o, kernel, conv_stride)) in convs.iter().enumerate() {
            let j = j + 1;
            // The shortcut comes before the last convolution, whose epilogue then does the addition.
            if j == convs.len() && stride != 1 && channels == stage.channels && self.spec.stride_unit == StrideUnit::Last {
                shortcut = self.subsample(name, input, channels, stride);
            } else if j == convs.len() && (stride != 1 || channels != stage.channels) {
                shortcut = self.reshaping_shortcut(name, input, channels, stage.channels, stride);
            }
            x = self.branch_conv(&format!("{name}.conv{j}"), x, i, o, kernel, conv_stride, true);
            x = self.norm(&format!("{name}.bn{j}"), x, o);
            if j < convs.len() {
                x = self.graph.push(format!("{name}.relu{j}"), Relu, &[x]);
            }
        }
        x = self.graph.push(format!("{name}.add"), Add, &[x, shortcut]);
        self.graph.push(name, Relu, &[x])
    }

    fn pre_activation_block(
        &mut self,
        name: &str,
        input: ValueId,
        channels: usize,
        stage: &Stage,
        stride: usize,
        activated: bool,
    ) -> ValueId {
        let convs = self.branch(channels, stage, stride);
        let mut x = input;
        let mut pre_activated = input;
        let mut shortcut = input;
        for (j, &(i, o, kernel, conv_stride)) in convs.iter().enumerate() {
            let j = j + 1;
            if j > 1 || !activated {
                x = self.norm(&format!("{name}.bn{j}"), x, i);
                x = self.graph.push(format!("{name}.relu{j}"), Relu, &[x]);
            }
            if j == 1 {
                pre_activated = x;
            }
            if j == convs.len() && channels != stage.channels {
                let source = if self.spec.order == BlockOrder::PreActivation { pre_activated } else { input };
                shortcut = self.reshaping_shortcut(name, source, channels, stage.channels, stride);
            } else if j == convs.len() && stride != 1 {
                shortcut = self.subsample(name, input, channels, stride);
            }
            x = self.branch_conv(&format!("{name}.conv{j}"), x, i, o, kernel, conv_stride, j < convs.len());
        }
        self.graph.push(name, Add, &[x, shortcut])
    }

    /// TF-slim's shortcut where a stage's last block halves the picture.
    fn subsample(&mut self, name: &str, x: ValueId, channels: usize, stride: usize) -> ValueId {
        self.graph.push(format!("{name}.subsample"), ZeroPadShortcut { stride, out_channels: channels, offset: 0 }, &[x])
    }

    fn reshaping_shortcut(&mut self, name: &str, x: ValueId, channels: usize, out_channels: usize, stride: usize) -> ValueId {
        let conv_name = format!("{name}.downsample.0");
        match self.spec.shortcut {
            Shortcut::Projection | Shortcut::Projection3x3 if !self.spec.is_pre_activation() => {
                let kernel = if self.spec.shortcut == Shortcut::Projection { 1 } else { 3 };
                let x = self.conv(&conv_name, x, channels, out_channels, kernel, stride, true);
                self.norm(&format!("{name}.downsample.1"), x, out_channels)
            }
            Shortcut::Projection3x3 => self.conv(&conv_name, x, channels, out_channels, 3, stride, false),
            Shortcut::Projection | Shortcut::ProjectionWithoutNorm => {
                self.conv(&conv_name, x, channels, out_channels, 1, stride, false)
            }
            Shortcut::AveragePool => {
                let pool = AvgPool { kernel: stride, stride, padding: Padding::Same };
                let x = if stride > 1 { self.graph.push(format!("{name}.downsample.0"), pool, &[x]) } else { x };
                let normed = !self.spec.is_pre_activation();
                let x = self.conv(&format!("{name}.downsample.1"), x, channels, out_channels, 1, 1, normed);
                if normed { self.norm(&format!("{name}.downsample.2"), x, out_channels) } else { x }
            }
            Shortcut::ZeroPad | Shortcut::ZeroPadBehind => {
                let centred = self.spec.shortcut == Shortcut::ZeroPad;
                let offset = if centred { (out_channels - channels) / 2 } else { 0 };
                self.graph.push(format!("{name}.downsample"), ZeroPadShortcut { stride, out_channels, offset }, &[x])
            }
        }
    }

    /// [`conv`](Self::conv) in groups, where it is a bottleneck's 3x3 and the net has them.
    #[allow(clippy::too_many_arguments)] // as `conv`
    fn branch_conv(
        &mut self,
        name: &str,
        x: ValueId,
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
        stride: usize,
        normed: bool,
    ) -> ValueId {
        if self.spec.groups == 1 || kernel == 1 {
            return self.conv(name, x, in_channels, out_channels, kernel, stride, normed);
        }
        let conv = self.convolution(in_channels, out_channels, kernel, stride, normed);
        self.graph.push(name, GroupedConv2d { conv, groups: self.spec.groups }, &[x])
    }

    #[allow(clippy::too_many_arguments)] // a convolution simply has this many properties
    fn conv(
        &mut self,
        name: &str,
        x: ValueId,
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
        stride: usize,
        normed: bool,
    ) -> ValueId {
        let conv = self.convolution(in_channels, out_channels, kernel, stride, normed);
        self.graph.push(name, conv, &[x])
    }

    fn convolution(&self, in_channels: usize, out_channels: usize, kernel: usize, stride: usize, normed: bool) -> Conv2d {
        let bias = match self.spec.bias {
            ConvBias::Never => false,
            ConvBias::WithoutNorm => !normed,
            ConvBias::Always => true,
        };
        Conv2d { in_channels, out_channels, kernel, stride, padding: self.spec.padding, bias }
    }

    fn norm(&mut self, name: &str, x: ValueId, channels: usize) -> ValueId {
        self.graph.push(name, BatchNorm { channels, eps: self.spec.bn_eps }, &[x])
    }
}
