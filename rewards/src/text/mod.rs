//! Text as the rules read it: tokens with folded word hashes, and sentences, all with byte spans into the original.

mod sentence;
mod token;

pub use sentence::{Sentence, sentences};
pub use token::{Kind, Token, hash_word, tokenize};
