//! Every file in `configs/` is one that `attending train` accepts, and can be planned without the model at hand.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use attending::config::{ConfigSource, Dtype};
use attending::trainer::plan;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

#[test]
fn all_are_accepted() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let mut source = ConfigSource::default();
        source.file(&path).unwrap();
        if let Err(error) = source.resolve_to_plan() {
            panic!("{error}");
        }
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn the_published_recipe_fits_the_card_that_it_is_for() {
    let mut source = ConfigSource::default();
    source.file(&folder().join("clinical-r1-3b.toml")).unwrap();
    let config = source.resolve_to_plan().unwrap();
    // The recipe as its authors released it.
    let raw = &config.raw;
    assert_eq!((raw.rollout.prompts_per_step, raw.rollout.group_size), (512, 5));
    assert_eq!(raw.rollout.prompts_per_step / raw.objective.steps_per_batch, 16);
    assert_eq!((raw.optim.lr, raw.rollout.temperature, raw.objective.kl_coefficient), (1e-6, 0.6, 1e-3));
    assert_eq!(config.dtype, Dtype::Bf16);
    let text = plan::of_run(&config).unwrap();
    // 3,085,938,688 weights; 1,024 + 5 x 4,096 packed tokens.
    assert!(text.contains("3085.9 M weights"), "{text}");
    assert!(text.contains("21504 packed tokens: a prompt of 1024 with 5 responses of 4096"), "{text}");
    assert!(text.contains("fits a card of 80 GB"), "{text}");
}
