//! With the feature `cuda`: compiles the kernels in `src/cuda/kernels` to one module for each element type, which the
//! program carries inside. With `cudnn`: also `src/cuda/cudnn/attention.cpp`. Without them: nothing.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

/// Machine code for Ampere (A100; RTX 30, A10), Ada and Hopper; newer cards compile the last one's PTX when they load it.
const ARCHITECTURES: [&str; 4] = ["80", "86", "89", "90"];
/// Element type in the kernels' source, and the ending of the kernels' names.
const ELEMENTS: [(&str, &str); 2] = [("float", "_f32"), ("bf16", "_bf16")];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo:rerun-if-changed=src/cuda/kernels");
    println!("cargo:rerun-if-env-changed=CUDA_HOME");
    println!("cargo:rerun-if-env-changed=CUDA_PATH");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for (element, suffix) in ELEMENTS {
        if let Err(problem) = compile(element, suffix, &out.join(format!("kernels{suffix}.fatbin"))) {
            println!("cargo:warning=feature cuda: {problem}");
            exit(1);
        }
    }
    if env::var_os("CARGO_FEATURE_CUDNN").is_some()
        && let Err(problem) = link_attention(&out)
    {
        println!("cargo:warning=feature cudnn: {problem}");
        exit(1);
    }
}

/// The headers that the fused attention includes, and folders below a Python package folder where pip puts them.
const HEADERS: [(&str, &str); 4] = [
    ("cudnn_frontend.h", "include"),
    ("cudnn.h", "nvidia/cudnn/include nvidia/cudnn_jit/include"),
    ("cuda_runtime.h", "nvidia/cu13/include nvidia/cuda_runtime/include"),
    ("nvrtc.h", "nvidia/cu13/include nvidia/cuda_nvrtc/include"),
];

/// Compiles the C++ side of the fused attention and links it.
fn link_attention(out: &Path) -> Result<(), String> {
    const SOURCE: &str = "src/cuda/cudnn/attention.cpp";
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rerun-if-env-changed=CUDNN_FRONTEND_PATH");
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let object = out.join("attention.o");
    let mut command = Command::new(&compiler);
    command.args(["-std=c++17", "-O2", "-fPIC", "-w"]);
    for folder in include_folders()? {
        command.arg("-isystem").arg(folder);
    }
    run(command.arg("-c").arg(SOURCE).arg("-o").arg(&object))?;
    run(Command::new("ar").arg("crs").arg(out.join("libattending_attention.a")).arg(&object))?;
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=attending_attention");
    println!("cargo:rustc-link-lib=dylib=stdc++");
    println!("cargo:rustc-link-lib=dylib=dl");
    Ok(())
}

/// A folder for each header: from `CUDNN_FRONTEND_PATH` (the front end's folder, or where pip put it), Python's package
/// folder, the CUDA toolkit.
fn include_folders() -> Result<Vec<PathBuf>, String> {
    let python =
        Command::new("python3").args(["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).output();
    let packages = python.ok().map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    let named = env::var_os("CUDNN_FRONTEND_PATH").map(PathBuf::from);
    let roots: Vec<PathBuf> = named.into_iter().chain(packages).collect();
    let toolkits = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let system: Vec<PathBuf> =
        toolkits.map(|home| home.join("include")).chain([PathBuf::from("/usr/include")]).collect();
    let folder = |(header, below): (&str, &str)| {
        let of_root = |root: &PathBuf| {
            let below: Vec<PathBuf> = below.split(' ').map(|folder| root.join(folder)).collect();
            [root.clone(), root.join("include")].into_iter().chain(below)
        };
        let mut folders = roots.iter().flat_map(of_root).chain(system.clone());
        folders.find(|folder| folder.join(header).exists()).ok_or_else(|| {
            format!(
                "{header} was not found; `pip install nvidia-cudnn-frontend nvidia-cudnn-cu13 nvidia-cuda-nvrtc` brings it, \
                 and CUDNN_FRONTEND_PATH names the folder where pip puts packages"
            )
        })
    };
    HEADERS.into_iter().map(folder).collect()
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{program} failed")),
        Err(error) => Err(format!("{program} cannot be run ({error})")),
    }
}

/// nvcc of the toolkit that the environment names, else that of the path.
fn nvcc() -> PathBuf {
    let homes = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os);
    let mut installed = homes.map(|home| Path::new(&home).join("bin").join("nvcc")).filter(|path| path.exists());
    installed.next().unwrap_or_else(|| PathBuf::from("nvcc"))
}

fn compile(element: &str, suffix: &str, output: &Path) -> Result<(), String> {
    let nvcc = nvcc();
    let mut command = Command::new(&nvcc);
    command.args(["-fatbin", "-std=c++17", "-O3"]).arg(format!("-DREAL={element}")).arg(format!("-DSUFFIX={suffix}"));
    for architecture in ARCHITECTURES {
        command.arg(format!("-gencode=arch=compute_{architecture},code=sm_{architecture}"));
    }
    let newest = ARCHITECTURES[ARCHITECTURES.len() - 1];
    command.arg(format!("-gencode=arch=compute_{newest},code=compute_{newest}"));
    let status = command.arg("-o").arg(output).arg("src/cuda/kernels/all.cu").status().map_err(|error| {
        format!("{} cannot be run ({error}); install the CUDA toolkit and set CUDA_HOME to it", nvcc.display())
    })?;
    if status.success() { Ok(()) } else { Err(format!("{} could not compile src/cuda/kernels", nvcc.display())) }
}
