//! Prints synthetic cases with a response of each kind: `cargo run -p attending-datasets --example synth_sample -- 3 7`.
use attending_datasets::synth::{self, Kind, Rng, Split};

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse().unwrap_or(0));
    let (n, seed) = (args.next().unwrap_or(3), args.next().unwrap_or(0));
    for case in synth::cases(n as usize, seed, Split::Train) {
        println!("{}", case.question);
        for option in &case.options {
            println!("{}. {}", option.key, option.text);
        }
        println!("gold {:?} {:?}", case.answer.keys, case.answer.number.as_ref().map(|n| n.value));
        for kind in Kind::ALL {
            let text = synth::respond(&case, kind, &mut Rng::keyed(&[seed, kind as u64])).unwrap_or_default();
            println!("  [{}] {text}", kind.name());
        }
        println!();
    }
}
