//! cuDNN's plans for the shapes of a 3B model's step, compiled for a described H200: needs cuDNN, no GPU; skipped, with the
//! reason, where cuDNN is not installed (scripts/cuda-compile-check fetches it).
#![cfg(feature = "cudnn")]
#![allow(clippy::unwrap_used)]

use attending::cuda::cudnn::Cudnn;
use attending::cuda::fused::CallShape;

const DEVICE: &str = include_str!("cuda_cudnn/h200.json");

/// Heads of Qwen2.5-3B and of SmolLM2-135M: query heads, key heads, width.
const QWEN: (i64, i64, i64) = (16, 2, 128);
const SMOL: (i64, i64, i64) = (9, 3, 64);

#[test]
fn plans_compile_for_an_h200() {
    // Pairs of runs, longest of each side, causal: a prefix of 8,192 and 8 responses of 512 with themselves, the responses
    // with the prefix; the longest prefix; exam questions of a small model.
    let calls = [
        (QWEN, 1, 8_192, 8_192, true),
        (QWEN, 8, 512, 512, true),
        (QWEN, 1, 4_096, 8_192, false),
        (QWEN, 1, 131_072, 131_072, true),
        (QWEN, 1, 4_096, 131_072, false),
        (SMOL, 8, 384, 384, true),
        (SMOL, 4, 256, 384, false),
    ];
    for ((q_heads, kv_heads, dim), batch, q_rows, kv_rows, causal) in calls {
        for (backward, deterministic) in [(0, 0), (1, 0), (1, 1)] {
            let scale = 1.0 / (dim as f32).sqrt();
            let causal = i32::from(causal);
            let shape =
                CallShape { batch, q_heads, kv_heads, dim, q_rows, kv_rows, causal, backward, deterministic, scale };
            match Cudnn::compile(DEVICE, (90, 132), &shape) {
                Ok(bytes) => println!("{shape:?}: works in {:.1} MB", bytes as f64 / 1e6),
                Err(error) if error.to_string().contains("libcudnn.so.9") => {
                    return println!("skipped, cuDNN is not installed: {error}");
                }
                Err(error) => panic!("{shape:?}: {error}"),
            }
        }
    }
}
