//! Networks through IREE's compiler and the loader's, on this machine.

#![allow(clippy::unwrap_used)]

mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln_compile::dlr::{Client, DlrError, Tensor, TensorInfo};
use kiln_compile::neural::compiler::{LIBRARY, Mlir};
use kiln_compile::neural::{
    self, Built, Device, Engine, Iree, Network, NeuralError, Signature, Traits, Trials, Verdict,
};
use kiln_compile::parts::{self, Kind, Toolchain};
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

/// A number of 64 bits that becomes one of 32.
const DOUBLE: &str = r#"module {
  func.func @net(%x: !torch.vtensor<[],f64>) -> !torch.vtensor<[],f32>
      attributes {torch.onnx_meta.ir_version = 9 : si64,
                  torch.onnx_meta.opset_version = 17 : si64} {
    %0 = torch.operator "onnx.Cast"(%x) {torch.onnx.to = 1 : si64}
      : (!torch.vtensor<[],f64>) -> !torch.vtensor<[],f32>
    return %0 : !torch.vtensor<[],f32>
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

fn tensor(name: &str, shape: &[u64]) -> neural::Tensor {
    neural::Tensor {
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
        traits: Traits {
            convolutions: true,
            doubles: false,
        },
    };
    engine.build(&network, trials)
}

/// This machine's parts, which are kept beside what cargo builds.
fn parts(packages: &Path, device: &Device) -> PathBuf {
    let Device::Cpu(platform) = device else {
        panic!("parts are for processors");
    };
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(parts::name(platform, Kind::Neural));
    if !home.join("libdlr.so").exists() {
        let toolchain = Toolchain::new(packages.join("ziglang/zig"));
        let begun = Instant::now();
        let log = |step: &str| eprintln!("{step}");
        parts::make(&toolchain, platform, Kind::Neural, &home, &log).unwrap();
        eprintln!("parts: {:.1} s", begun.elapsed().as_secs_f64());
    }
    home
}

/// Opens the model in a folder as clients do, and runs it once.
fn answer(parts: &Path, folder: &Path, input: &[f32]) -> Result<(Vec<f32>, Duration), DlrError> {
    fs::copy(parts.join("libdlr.so"), folder.join("libdlr.so")).unwrap();
    let mut client = Client::open(folder)?;
    assert_eq!(client.backend().unwrap(), "tvm");
    let wrong = Tensor::of_floats("x", &[1, 2, 4], &input[..8]);
    let refused = client.set_input(&wrong).unwrap_err().to_string();
    assert!(refused.contains("1x2x4x4"), "{refused}");
    client.set_input(&Tensor::of_floats("x", &[1, 2, 4, 4], input))?;
    let begun = Instant::now();
    client.run()?;
    let time = begun.elapsed();
    let output = client.output(0)?;
    assert_eq!(output.info.shape, [1, 2, 2, 2]);
    Ok((output.floats().unwrap(), time))
}

#[test]
fn the_fastest_preset_that_answers_rightly_is_kept() {
    let Some(packages) = tools::packages() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let parts = parts(&packages, &host());
    let engine = Iree::open(&packages.join(LIBRARY), host(), home.path()).unwrap();
    let mut lines = Vec::new();
    let mut judge = |folder: &Path, _| match answer(&parts, folder, &[0.5; 32]) {
        Ok((values, time)) if values == [9.0; 8] => Verdict::Holds(time),
        Ok((values, _)) => Verdict::Fails(format!("{values:?}")),
        Err(error) => Verdict::Fails(error.to_string()),
    };
    let built = build(
        &engine,
        CONVOLUTION,
        &mut Trials {
            scratch: scratch.path(),
            judge: Some(&mut judge),
            log: &mut |line| lines.push(line.to_owned()),
        },
    )
    .unwrap();
    eprintln!("{}", lines.join("\n"));
    assert_eq!(built.trials.len(), 2);
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
fn numbers_of_64_bits_are_taken_as_they_are() {
    let Some(packages) = tools::packages() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let parts = parts(&packages, &host());
    let engine = Iree::open(&packages.join(LIBRARY), host(), home.path()).unwrap();
    let scalar = |name: &str, kind: &str| neural::Tensor {
        name: name.to_owned(),
        kind: kind.to_owned(),
        shape: Vec::new(),
    };
    let signature = Signature::new(
        "net",
        vec![scalar("x", "float64")],
        vec![scalar("y", "float32")],
    );
    let network = Network {
        mlir: Mlir::Bytes(DOUBLE.as_bytes()),
        signature: &signature,
        traits: Traits {
            convolutions: false,
            doubles: true,
        },
    };
    let mut trials = Trials {
        scratch: scratch.path(),
        judge: None,
        log: &mut |_| (),
    };
    let built = engine.build(&network, &mut trials).unwrap();
    fs::copy(parts.join("libdlr.so"), built.folder.join("libdlr.so")).unwrap();
    let mut client = Client::open(&built.folder).unwrap();
    let input = Tensor {
        info: TensorInfo {
            name: "x".to_owned(),
            kind: "float64".to_owned(),
            shape: Vec::new(),
        },
        bytes: 2.5_f64.to_le_bytes().to_vec(),
    };
    let answer = client.predict(&[input]).unwrap();
    assert_eq!(answer[0].floats().unwrap(), [2.5]);
}

#[test]
fn operators_that_the_compiler_lacks_are_named() {
    let Some(packages) = tools::packages() else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let engine = Iree::open(&packages.join(LIBRARY), host(), home.path()).unwrap();
    let mut trials = Trials {
        scratch: scratch.path(),
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
    let Some(packages) = tools::packages() else {
        return;
    };
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
