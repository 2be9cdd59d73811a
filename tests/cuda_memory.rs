//! A device whose memory is used up: one sentence that names the part and what to lower. Runs on the emulated device
//! alone, since a card's memory cannot be made small; skipped, with the reason, elsewhere.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod clinic;
#[path = "support/device.rs"]
mod device;

/// A run of the tiny model (some 0.2 M weights) on a device of `bytes`; what it said.
fn train(bytes: u64) -> (Option<i32>, String) {
    let (_folder, path) = clinic::folder();
    let mut arguments = clinic::small(&["train", "--run", "run", "--device", "cuda"]);
    arguments.extend(["--set", "trainer.steps=1"]);
    let mut command = clinic::attending(&path);
    command.env("EMULATED_DEVICE_BYTES", bytes.to_string());
    let output = command.args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_does_not_fit_is_named_with_what_to_lower() {
    match device::device() {
        Some(device) if device.name().starts_with("emulated") => {}
        _ => return println!("skipped, this needs the emulated device"),
    }
    // cublasLt's workspace takes 33.6 MB, the master weights 0.5 MB, as do the weights and each moment.
    for (bytes, part) in [(34_000_000, "master weights"), (34_900_000, "optimiser states")] {
        let (code, text) = train(bytes);
        assert_ne!(code, Some(0), "{text}");
        let whole =
            text.contains(&format!("out of GPU memory for {part}")) && text.contains("set optim.states = \"host\"");
        assert!(whole, "{bytes}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
}
