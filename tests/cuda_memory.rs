//! A device whose memory is used up: one sentence that names the part and what to lower. Runs on the emulated device
//! alone, since a card's memory cannot be made small; skipped, with the reason, elsewhere.
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

mod clinic;
#[path = "support/device.rs"]
mod device;

/// A run of the tiny model (some 0.2 M weights) on a device of `bytes`; what it said.
fn train(bytes: u64, settings: &[&str]) -> (Option<i32>, String) {
    let (_folder, path) = clinic::folder();
    let mut arguments = clinic::small(&["train", "--run", "run", "--device", "cuda"]);
    for setting in ["trainer.steps=1", "check.first_batch=false"].iter().chain(settings) {
        arguments.extend(["--set", setting]);
    }
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
    // cublasLt's workspace alone takes 33.6 MB.
    for (bytes, part, remedy) in [
        (34_000_000, "master weights", "set optim.states = \"host\""),
        (37_000_000, "", "lower trainer.max_packed_tokens"),
    ] {
        let (code, text) = train(bytes, &[]);
        assert_ne!(code, Some(0), "{text}");
        assert!(text.contains(&format!("out of GPU memory for {part}")) && text.contains(remedy), "{bytes}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
}
