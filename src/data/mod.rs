//! Images, presets, labels: plain data, no GPU.
