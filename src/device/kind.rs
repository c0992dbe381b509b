//! Which device a person asked for, and which one it is.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::gpu::Family;

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// A graphics card.
    Gpu,
    /// The processor, by its own kernels.
    Cpu,
    /// A software adapter: a processor that pretends to be a graphics card.
    Software,
}

/// Which device to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceChoice {
    /// A graphics card, else the processor.
    #[default]
    Auto,
    /// This kind or an error.
    Kind(DeviceKind),
}

/// How to open a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceOptions {
    /// Which one.
    pub choice: DeviceChoice,
    /// Threads of the processor; 0 for as many as the machine offers.
    pub threads: usize,
    /// Family of WGSL kernels to use whatever the adapter is (tests run both on one adapter).
    pub family: Option<Family>,
    /// Stay within WebGPU's default limits even where the adapter offers more.
    pub default_limits: bool,
}

impl DeviceOptions {
    /// A device of this kind.
    pub const fn of(kind: DeviceKind) -> Self {
        Self { choice: DeviceChoice::Kind(kind), threads: 0, family: None, default_limits: false }
    }

    /// A software adapter, on which tests of WGSL run wherever they run.
    pub const fn software() -> Self {
        Self::of(DeviceKind::Software)
    }
}

impl DeviceChoice {
    /// The words of the command line and of addresses.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("gpu", Self::Kind(DeviceKind::Gpu)),
        ("cpu", Self::Kind(DeviceKind::Cpu)),
        ("software", Self::Kind(DeviceKind::Software)),
    ];
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, choice)| *choice).ok_or_else(|| Error::Unknown {
            kind: "device",
            name: name.into(),
            known: Self::NAMES.map(|(known, _)| known).join(", "),
        })
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
            Self::Software => "software",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_go_by_their_words() {
        for (name, choice) in DeviceChoice::NAMES {
            assert_eq!(name.parse::<DeviceChoice>().unwrap(), choice);
            if let DeviceChoice::Kind(kind) = choice {
                assert_eq!(kind.to_string(), name);
            }
        }
        let error = "tpu".parse::<DeviceChoice>().unwrap_err().to_string();
        assert!(error.contains("tpu") && error.contains("auto, gpu, cpu, software"), "{error}");
    }
}
