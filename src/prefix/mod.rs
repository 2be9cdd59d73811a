//! The one batching idea: sequences merged by their common prefixes into a tree, packed so that nothing is padded or
//! computed twice. A GRPO group is a tree of depth two, a lone sequence a single node; every batch takes the same path.

mod tree;

pub use tree::{Node, PrefixTree, Sequence, TreeError};

pub use crate::objective::Label;
