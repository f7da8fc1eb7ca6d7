//! Networks through IREE's compiler and the loader's C sources, on this machine.
//!
//! The tests need the Python packages `iree-base-compiler` and `ziglang`, and run where
//! `KILN_COMPILER_PACKAGES` names the folder that they are installed in.

#![allow(clippy::unwrap_used)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use kiln_compile::neural::compiler::{LIBRARY, Mlir};
use kiln_compile::neural::{
    Built, Device, Engine, Iree, Network, NeuralError, Signature, Tensor, Trials, Verdict, loader,
};
use kiln_compile::target::{Arch, Os, Platform};

/// A convolution of 1×2×4×4 with two channels out, all weights 1, and a ReLU.
const CONVOLUTION: &str = r#"module {
  func.func @net(%x: !torch.vtensor<[1,2,4,4],f32>) -> !torch.vtensor<[1,2,2,2],f32>
      attributes {torch.onnx_meta.ir_version = 9 : si64,
                  torch.onnx_meta.opset_version = 17 : si64} {
    %none = torch.constant.none
    %w = torch.vtensor.literal(dense<1.0> : tensor<2x2x3x3xf32>) : !torch.vtensor<[2,2,3,3],f32>
    %0 = torch.operator "onnx.Conv"(%x, %w)
      {torch.onnx.kernel_shape = [3 : si64, 3 : si64]}
      : (!torch.vtensor<[1,2,4,4],f32>, !torch.vtensor<[2,2,3,3],f32>)
        -> !torch.vtensor<[1,2,2,2],f32>
    %1 = torch.operator "onnx.Relu"(%0)
      : (!torch.vtensor<[1,2,2,2],f32>) -> !torch.vtensor<[1,2,2,2],f32>
    return %1 : !torch.vtensor<[1,2,2,2],f32>
  }
}"#;

const UNKNOWN: &str = r#"module {
  func.func @net(%x: !torch.vtensor<[4],f32>) -> !torch.vtensor<[4],f32>
      attributes {torch.onnx_meta.ir_version = 9 : si64,
                  torch.onnx_meta.opset_version = 17 : si64} {
    %0 = torch.operator "onnx.StringNormalizer"(%x)
      : (!torch.vtensor<[4],f32>) -> !torch.vtensor<[4],f32>
    return %0 : !torch.vtensor<[4],f32>
  }
}"#;

/// The folder of Python packages, or none with a word about it.
fn packages() -> Option<PathBuf> {
    let folder = std::env::var_os("KILN_COMPILER_PACKAGES").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: KILN_COMPILER_PACKAGES is not set");
    }
    folder
}

fn tensor(name: &str, shape: &[u64]) -> Tensor {
    Tensor {
        name: name.to_owned(),
        kind: "float32".to_owned(),
        shape: shape.iter().copied().map(Some).collect(),
    }
}

fn host() -> Device {
    Device::Cpu(Platform {
        os: Os::Linux,
        arch: if cfg!(target_arch = "aarch64") {
            Arch::Arm64
        } else {
            Arch::X86_64
        },
        cpu: None,
        features: Vec::new(),
    })
}

fn build(engine: &Iree, mlir: &str, trials: &mut Trials<'_>) -> Result<Built, NeuralError> {
    let signature = Signature::new(
        "net",
        vec![tensor("x", &[1, 2, 4, 4])],
        vec![tensor("y", &[1, 2, 2, 2])],
    );
    let network = Network {
        mlir: Mlir::Bytes(mlir.as_bytes()),
        signature: &signature,
        convolutions: true,
    };
    engine.build(&network, trials)
}

/// The loader's sources as a library with the functions of `model.h`.
fn model_library(packages: &Path, folder: &Path) -> PathBuf {
    let sources = loader::unpack(folder).unwrap();
    let library = folder.join("libmodel.so");
    let status = Command::new(packages.join("ziglang/zig"))
        .args(["cc", "-shared", "-fPIC", "-O1", "-w", "-o"])
        .arg(&library)
        .args(
            sources
                .includes
                .iter()
                .map(|path| format!("-I{}", path.display())),
        )
        .args(sources.defines.iter().map(|define| format!("-D{define}")))
        .args(&sources.files)
        .args(
            sources
                .libraries
                .iter()
                .map(|library| format!("-l{library}")),
        )
        .env("ZIG_GLOBAL_CACHE_DIR", folder.join("zig"))
        .env("ZIG_LOCAL_CACHE_DIR", folder.join("zig"))
        .status()
        .unwrap();
    assert!(status.success());
    library
}

/// Opens the model in a folder and runs it once.
fn answer(library: &Path, folder: &Path, input: &[f32]) -> Result<(Vec<f32>, Duration), String> {
    type Open = unsafe extern "C" fn(*const c_char, *mut *mut c_void, *mut c_char) -> c_int;
    type Set = unsafe extern "C" fn(
        *mut c_void,
        i32,
        *const i64,
        i32,
        *const c_void,
        *mut c_char,
    ) -> c_int;
    type Run = unsafe extern "C" fn(*mut c_void, *mut c_char) -> c_int;
    type Get = unsafe extern "C" fn(*const c_void, i32) -> *const c_void;
    type Close = unsafe extern "C" fn(*mut c_void);
    let mut error = [0_u8; 1024];
    let said = |error: &[u8]| {
        String::from_utf8_lossy(error)
            .trim_end_matches('\0')
            .to_owned()
    };
    let path = CString::new(folder.to_str().unwrap()).unwrap();
    // SAFETY: the library was made of the sources that model.h describes, and what it
    // answers is used as described there.
    unsafe {
        let library = libloading::Library::new(library).unwrap();
        let mut model = std::ptr::null_mut();
        let error_at = error.as_mut_ptr().cast();
        if library.get::<Open>(b"model_open").unwrap()(path.as_ptr(), &raw mut model, error_at) != 0
        {
            return Err(said(&error));
        }
        let shape = [1_i64, 2, 4, 4];
        let set = library.get::<Set>(b"model_set_input").unwrap();
        assert_eq!(
            set(model, 0, shape.as_ptr(), 4, input.as_ptr().cast(), error_at),
            0
        );
        assert_ne!(
            set(model, 0, shape.as_ptr(), 3, input.as_ptr().cast(), error_at),
            0
        );
        assert_eq!(
            said(&error),
            "input x has the shape 1x2x4x4, and 1x2x4 was given"
        );
        let begun = Instant::now();
        let run = library.get::<Run>(b"model_run").unwrap();
        if run(model, error_at) != 0 {
            return Err(said(&error));
        }
        let time = begun.elapsed();
        let output = library.get::<Get>(b"model_get_output").unwrap()(model, 0);
        let values = std::slice::from_raw_parts(output.cast::<f32>(), 8).to_vec();
        library.get::<Close>(b"model_close").unwrap()(model);
        Ok((values, time))
    }
}

#[test]
fn the_fastest_preset_that_answers_rightly_is_kept() {
    let Some(packages) = packages() else { return };
    let home = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let native = tempfile::tempdir().unwrap();
    let library = model_library(&packages, native.path());
    let engine = Iree::open(&packages.join(LIBRARY), host(), home.path()).unwrap();
    let mut lines = Vec::new();
    let mut judge = |folder: &Path| match answer(&library, folder, &[0.5; 32]) {
        Ok((values, time)) if values == [9.0; 8] => Verdict::Holds(time),
        Ok((values, _)) => Verdict::Fails(format!("{values:?}")),
        Err(error) => Verdict::Fails(error),
    };
    let built = build(
        &engine,
        CONVOLUTION,
        &mut Trials {
            scratch: scratch.path(),
            deadline: None,
            judge: Some(&mut judge),
            log: &mut |line| lines.push(line.to_owned()),
        },
    )
    .unwrap();
    eprintln!("{}", lines.join("\n"));
    assert_eq!(built.trials.len(), 4);
    assert!(
        built.trials.iter().all(|trial| trial.run.is_some()),
        "{:?}",
        built.trials
    );
    assert!(built.folder.join("compiled.vmfb").is_file());
    let folders = fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(folders, 1, "only the kept one is left");
}

#[test]
fn operators_that_the_compiler_lacks_are_named() {
    let Some(packages) = packages() else { return };
    let home = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let engine = Iree::open(&packages.join(LIBRARY), host(), home.path()).unwrap();
    let mut trials = Trials {
        scratch: scratch.path(),
        deadline: None,
        judge: None,
        log: &mut |_| (),
    };
    let error = build(&engine, UNKNOWN, &mut trials).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ClientError: CompilationError: The following operators are not implemented: \
         {'StringNormalizer'}"
    );
    let error = build(&engine, "module { nonsense }", &mut trials).unwrap_err();
    assert!(
        error.to_string().contains("Unable to compile the model: "),
        "{error}"
    );
}

#[test]
fn every_kind_of_device_gets_a_module() {
    let Some(packages) = packages() else { return };
    let platform = |os, arch| {
        Device::Cpu(Platform {
            os,
            arch,
            cpu: None,
            features: Vec::new(),
        })
    };
    for (device, remarks) in [
        (platform(Os::Linux, Arch::Arm64), 0),
        (platform(Os::Android, Arch::Arm64), 1),
        (platform(Os::Windows, Arch::X86_64), 1),
        (platform(Os::Windows, Arch::X86), 1),
        (Device::Cuda("sm_90".to_owned()), 2),
        (Device::Vulkan(kiln_compile::neural::GpuKind::Mali), 2),
    ] {
        let home = tempfile::tempdir().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let engine = Iree::open(&packages.join(LIBRARY), device.clone(), home.path()).unwrap();
        let mut trials = Trials {
            scratch: scratch.path(),
            deadline: None,
            judge: None,
            log: &mut |line| eprintln!("{device:?}: {line}"),
        };
        let built = build(&engine, CONVOLUTION, &mut trials).unwrap();
        assert_eq!(built.trials.len(), 1);
        assert_eq!(
            built.remarks.len(),
            remarks,
            "{device:?}: {:?}",
            built.remarks
        );
        assert!(built.folder.join("compiled.vmfb").metadata().unwrap().len() > 1000);
    }
}
