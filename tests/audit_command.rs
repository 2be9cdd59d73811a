//! `attending audit` as a pipeline runs it: its exit status, its files, and reward functions that are not ours.
#![allow(clippy::unwrap_used)]

mod clinic;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use clinic::refused;
use serde_json::{Value, json};

/// Three groups of four rewards with nothing to find in them.
fn clean(folder: &Path) {
    let line = |prompt: usize, at: usize| {
        let score = [0.1, 0.4, 0.6, 0.9][(at + prompt) % 4];
        json!({"input": format!("Question {prompt}?"), "output": "w ".repeat(20 + (7 * at) % 5), "score": score, "step": 1})
    };
    let lines: String = (0..12).map(|at| format!("{}\n", line(at / 4, at % 4))).collect();
    std::fs::write(folder.join("rollouts.jsonl"), lines).unwrap();
}

fn audited(folder: &Path, more: &[&str], status: i32) -> Value {
    let arguments = [&["audit", "responses.jsonl", "--cases", "cases.jsonl", "--json"][..], more].concat();
    let output = clinic::run(folder, &arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Name, mean gap and share of the tricks.
fn tricks(audit: &Value) -> Vec<(Value, Value, Value)> {
    let probes = audit["probes"].as_array().unwrap().iter().filter(|probe| probe["edit"] == false);
    probes.map(|probe| (probe["name"].clone(), probe["gap"].clone(), probe["passed"].clone())).collect()
}

fn thresholds(audit: &Value) -> Vec<&str> {
    audit["findings"].as_array().unwrap().iter().map(|finding| finding["threshold"].as_str().unwrap()).collect()
}

#[test]
fn each_exit_status() {
    let (_folder, path) = clinic::folder();
    clean(&path);
    let printed = clinic::succeed(&path, &["audit", "rollouts.jsonl", "--report", "clean"]);
    assert!(printed.contains("12 responses to 3 cases") && printed.contains("no findings"), "{printed}");
    assert!(path.join("clean/report.html").exists() && path.join("clean/audit.json").exists());

    let audit = audited(&path, &["--preset", "accuracy-only", "--report", "found"], 1);
    assert!(thresholds(&audit).contains(&"probes.paid"), "{}", audit["findings"]);
    let written: Value = serde_json::from_slice(&std::fs::read(path.join("found/audit.json")).unwrap()).unwrap();
    assert_eq!(written, audit);
    // The texts are in the page alone.
    let text = std::fs::read_to_string(path.join("responses.jsonl")).unwrap();
    let text: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let words: Vec<&str> = text["text"].as_str().unwrap().split(['<', '>', '"', '\\', '\n']).collect();
    let longest = words.iter().max_by_key(|words| words.len()).unwrap();
    assert!(std::fs::read_to_string(path.join("found/report.html")).unwrap().contains(longest));
    assert!(!audit.to_string().contains(longest));

    let again = ["audit", "rollouts.jsonl", "--report", "clean"];
    refused(&path, &again, 2, &["clean: this folder is not empty", "--force"]);
    clinic::succeed(&path, &[&again[..], &["--force"]].concat());
    refused(&path, &["audit", "nowhere.jsonl"], 2, &["nowhere.jsonl", "cannot read"]);
    let layout = ["audit", "rollouts.jsonl", "--layout", "lm-eval"];
    refused(&path, &layout, 2, &["rollouts.jsonl, line 1: field `arguments`: expected gen_args_0"]);
    refused(&path, &["audit", "log.eval"], 2, &["log.eval: is inspect's packed log", "inspect log convert"]);
    std::fs::write(path.join("t.toml"), "[groups]\nflatt = 0.2\n").unwrap();
    refused(&path, &["audit", "rollouts.jsonl", "--thresholds", "t.toml"], 2, &["t.toml:2: ", "`groups.flat`?"]);

    let function = |command| ["audit", "responses.jsonl", "--cases", "cases.jsonl", "--reward-command", command];
    refused(&path, &function("exit 7"), 3, &["reward function exit 7: ended (exit status: 7) without a reply"]);
    refused(&path, &function("echo loaded; cat"), 3, &["replied what is no JSON of scores"]);
    let slow = [&function("sleep 30")[..], &["--reward-timeout", "0.2"]].concat();
    refused(&path, &slow, 3, &["gave no reply within 0.2 s"]);
    let closed = ["audit", "responses.jsonl", "--cases", "cases.jsonl", "--reward-url", "http://127.0.0.1:9/score"];
    refused(&path, &closed, 3, &["reward function http://127.0.0.1:9/score: "]);
    let alone = ["audit", "responses.jsonl", "--reward-command", "cat"];
    refused(&path, &alone, 2, &["--cases"]);
}

/// Gives every response the same reward.
const CONSTANT: &str = r#"while read -r line; do
  n=$(printf '%s\n' "$line" | grep -o '"response":{' | wc -l)
  printf '{"scores":['
  i=1; while [ "$i" -lt "$n" ]; do printf '{"value":1},'; i=$((i + 1)); done
  echo '{"value":1}]}'
done
"#;

#[test]
fn a_constant_function_is_found_out() {
    let (_folder, path) = clinic::folder();
    std::fs::write(path.join("constant.sh"), CONSTANT).unwrap();
    std::fs::write(path.join("few.toml"), "[sample]\ncases = 3\n").unwrap();
    let audit = audited(&path, &["--reward-command", "sh constant.sh", "--thresholds", "few.toml"], 1);
    assert_eq!(audit["reward_function"], "sh constant.sh");
    let reward = audit["distributions"].as_array().unwrap().iter().find(|d| d["name"] == "reward").unwrap();
    assert_eq!((reward["mean"]["estimate"].as_f64(), reward["missing"].as_u64()), (Some(1.0), Some(0)));
    assert_eq!(audit["groups"]["flat"], audit["groups"]["compared"]);
    // Only estimators of one number are shown beside a function that gives one number.
    let names: Vec<&str> =
        audit["groups"]["estimators"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["grpo", "dr_grpo", "rloo", "batch_std"]);
    assert!(tricks(&audit).iter().all(|(_, gap, passed)| gap["estimate"] == 0.0 && *passed == 1.0));
    assert!(audit["probes"].as_array().unwrap().iter().filter(|p| p["edit"] == true).all(|p| p["falls"] == "reward"));
    let found = thresholds(&audit);
    for threshold in ["groups.flat", "probes.paid", "probes.unnoticed", "reading.drop"] {
        assert!(found.contains(&threshold), "{threshold} not in {found:?}");
    }
}

/// A server that is killed when dropped.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A rubric asked over HTTP earns its tricks what it earns them in the program.
#[cfg(feature = "serve")]
#[test]
fn a_function_behind_http() {
    let (_folder, path) = clinic::folder();
    let mut command = clinic::attending(&path);
    command.args(["serve", "--addr", "127.0.0.1:0", "--preset", "accuracy-only", "--quiet"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let server = Server(child, line.trim().rsplit('/').next().unwrap().to_owned());
    let url = format!("http://{}/score", server.1);
    let (there, here) = (audited(&path, &["--reward-url", &url], 1), audited(&path, &["--preset", "accuracy-only"], 1));
    assert!(!tricks(&here).is_empty());
    assert_eq!(tricks(&there), tricks(&here));
    assert_eq!(there["reward_function"], url);
}

/// `scripts/reward_function.py` around functions as verl and TRL call them.
#[test]
fn functions_of_verl_and_trl() {
    let (_folder, path) = clinic::folder();
    if std::process::Command::new("python3").arg("-V").output().is_err() {
        println!("skipped: no python3");
        return;
    }
    let functions = "import os\n\
        def compute_score(data_source, solution_str, ground_truth, extra_info):\n    print('a line of its own')\n    \
        return {'score': float(str(ground_truth) in solution_str), 'length': len(solution_str)}\n\
        def reward(prompts, completions, ground_truth, **columns):\n    \
        return [None if not truth else float(str(truth) in text) for text, truth in zip(completions, ground_truth)]\n\
        def broken(prompts, completions, **columns):\n    raise ValueError('no such column')\n";
    std::fs::write(path.join("mine.py"), functions).unwrap();
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/reward_function.py");
    let command = |call: &str| format!("python3 '{}' {call}", adapter.display());
    let mean = |call: &str| {
        let audit = audited(&path, &["--reward-command", &command(call)], 1);
        let reward = audit["distributions"].as_array().unwrap().iter().find(|d| d["name"] == "reward").unwrap().clone();
        assert_eq!(reward["scored"], audit["responses"]);
        reward["mean"]["estimate"].as_f64().unwrap()
    };
    // Counted here from the files.
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(path.join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let cases = lines("cases.jsonl");
    let truth = |id: &Value| {
        let answer = &cases.iter().find(|case| case["id"] == *id).unwrap()["answer"];
        [&answer["keys"][0], &answer["texts"][0], &answer["number"]["value"]]
            .into_iter()
            .find(|value| !value.is_null())
            .map(|value| value.as_str().map_or_else(|| python(value), str::to_owned))
            .unwrap()
    };
    let responses = lines("responses.jsonl");
    let holds = |response: &&Value| response["text"].as_str().unwrap().contains(&truth(&response["case_id"]));
    let expected = responses.iter().filter(holds).count() as f64 / responses.len() as f64;
    for call in ["verl mine.py", "trl mine.py:reward"] {
        assert!((mean(call) - expected).abs() < 1e-12, "{call}: {} is not {expected}", mean(call));
    }
    let broken = command("trl mine.py:broken");
    let arguments = ["audit", "responses.jsonl", "--cases", "cases.jsonl", "--reward-command", &broken];
    refused(&path, &arguments, 3, &["says: ValueError: no such column"]);
}

/// A number as Python's `str` writes it after reading it as JSON.
fn python(number: &Value) -> String {
    number.to_string()
}
