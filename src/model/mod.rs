//! The decoder: its configuration, its tensors, the files that they come from, and its forward and backward.
pub mod config;
pub mod parameters;
