//! Time of one AdamW step and one gradient norm over 100 M parameters: `cargo bench --bench adamw`.

use std::time::Instant;

use attending::model::parameters::Parameters;
use attending::optim::{AdamW, AdamWConfig, global_norm};

fn main() -> Result<(), attending::optim::Error> {
    let count = 100_000_000;
    let of = |value: f32| Parameters {
        embedding: vec![value; count - 1000],
        layers: Vec::new(),
        final_norm: vec![value; 1000],
        head: None,
    };
    let (mut parameters, gradients) = (of(0.5), of(1e-3));
    let mut optimiser = AdamW::new(AdamWConfig { weight_decay: 0.01, ..AdamWConfig::default() }, &parameters)?;
    let (mut steps, mut norms) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let start = Instant::now();
        optimiser.step(&mut parameters, &gradients, 1e-6, 1.0)?;
        steps.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        std::hint::black_box(global_norm(&gradients));
        norms.push(start.elapsed().as_secs_f64());
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    println!("adamw, {count} parameters, {} threads", rayon::current_num_threads());
    println!("step          median {:.3} s, best {:.3} s", median(&mut steps), steps[0]);
    println!("gradient norm median {:.3} s, best {:.3} s", median(&mut norms), norms[0]);
    Ok(())
}
