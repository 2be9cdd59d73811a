//! `attending model tokenizer`: trains a tokenizer on the prompts and responses that a small model will see.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use attending_datasets::{Records, read_cases};
use attending_rewards::Response;

use crate::model::tokenizer::{SpecialTokens, train};
use crate::prompt::{Format, Prompter};

/// Arguments of `attending model tokenizer`.
#[derive(Debug, clap::Args)]
pub(super) struct TokenizerArgs {
    /// Cases whose prompts are read (JSON Lines, `attending.case/1`)
    #[arg(long, value_name = "FILE")]
    cases: PathBuf,
    /// Responses whose texts are read (JSON Lines)
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Tokens, with the special ones and the 256 bytes
    #[arg(long, value_name = "N", default_value_t = 2048)]
    vocab: usize,
    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The special tokens of a model that is trained on the layout itself: an end of response, the tags of `think_answer`,
/// no chat template.
fn special() -> SpecialTokens {
    let end = "<|end|>".to_owned();
    SpecialTokens { control: vec![end.clone()], eos: end, chat_template: String::new(), ..SpecialTokens::default() }
}

/// Runs the command.
pub(super) fn run(args: &TokenizerArgs) -> anyhow::Result<ExitCode> {
    let special = special();
    let bytes = train(std::iter::empty(), 256 + special.control.len() + special.visible.len(), &special)?;
    let prompter = Prompter::new(Format::ThinkAnswer, "", "")?;
    let mut texts = Vec::new();
    for case in read_cases(&args.cases, false)?.0 {
        texts.push(prompter.prompt(&case, &bytes)?.text);
    }
    if let Some(path) = &args.responses {
        for response in Records::<Response>::open(path, false, |_| Ok(()))? {
            texts.extend(response?.text);
        }
    }
    let tokenizer = train(texts.iter().map(String::as_str), args.vocab, &special)?;
    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    tokenizer.save(&args.out)?;
    println!("{}: {} tokens from {} texts", args.out.display(), tokenizer.vocab_size(), texts.len());
    Ok(ExitCode::SUCCESS)
}
