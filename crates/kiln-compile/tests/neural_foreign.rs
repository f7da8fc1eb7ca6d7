//! A network that is compiled for other architectures and run by their own loader under
//! an emulator, where there is one.

#![allow(clippy::unwrap_used)]

mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kiln_compile::dlr::{Emulator, Runner, Tensor};
use kiln_compile::neural::compiler::{LIBRARY, Mlir};
use kiln_compile::neural::{self, Device, Engine, Iree, Network, Signature, Traits, Trials};
use kiln_compile::parts::{self, Kind, Toolchain};
use kiln_compile::target::{Arch, Os, Platform};

/// A softmax over four numbers after a division, which on 32-bit ARM calls functions that
/// its libraries do not have.
const SOFTMAX: &str = r#"module {
  func.func @net(%x: !torch.vtensor<[1,4],f32>) -> !torch.vtensor<[1,4],f32>
      attributes {torch.onnx_meta.ir_version = 9 : si64,
                  torch.onnx_meta.opset_version = 17 : si64} {
    %0 = torch.operator "onnx.Softmax"(%x) {torch.onnx.axis = -1 : si64}
      : (!torch.vtensor<[1,4],f32>) -> !torch.vtensor<[1,4],f32>
    return %0 : !torch.vtensor<[1,4],f32>
  }
}"#;

fn platform(arch: Arch) -> Platform {
    Platform {
        os: Os::Linux,
        arch,
        cpu: None,
        features: Vec::new(),
    }
}

fn parts(packages: &Path, platform: &Platform) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(parts::name(platform, Kind::Neural));
    if !home.join("libdlr.so").exists() {
        let toolchain = Toolchain::new(packages.join("ziglang/zig"));
        let log = |step: &str| eprintln!("{platform}: {step}");
        parts::make(&toolchain, platform, Kind::Neural, &home, &log).unwrap();
    }
    home
}

fn tensor(name: &str) -> neural::Tensor {
    neural::Tensor {
        name: name.to_owned(),
        kind: "float32".to_owned(),
        shape: vec![Some(1), Some(4)],
    }
}

fn run(packages: &Path, platform: &Platform, emulator: Emulator) -> Vec<f32> {
    let home = tempfile::tempdir().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let device = Device::Cpu(platform.clone());
    let engine = Iree::open(&packages.join(LIBRARY), device, home.path()).unwrap();
    let signature = Signature::new("net", vec![tensor("x")], vec![tensor("y")]);
    let network = Network {
        mlir: Mlir::Bytes(SOFTMAX.as_bytes()),
        signature: &signature,
        traits: Traits::default(),
    };
    let mut trials = Trials {
        scratch: scratch.path(),
        judge: None,
        log: &mut |line| eprintln!("{platform}: {line}"),
    };
    let built = engine.build(&network, &mut trials).unwrap();
    let parts = parts(packages, platform);
    fs::copy(parts.join("libdlr.so"), built.folder.join("libdlr.so")).unwrap();
    let runner = Runner {
        program: parts.join("runner"),
        emulator: Some(emulator),
        limit: Duration::from_secs(60),
    };
    let input = Tensor::of_floats("x", &[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let ran = runner.run(&built.folder, &[input], 2).unwrap();
    ran.outputs[0].floats().unwrap()
}

/// One test, and 64 bits first: what 32-bit ARM needs of the compiler stays with the
/// process.
#[test]
fn other_architectures_answer_as_they_should() {
    let Some(packages) = tools::packages() else {
        return;
    };
    for arch in [Arch::Arm64, Arch::ArmEabihf] {
        let platform = platform(arch);
        let Some(emulator) = Emulator::of(&platform) else {
            eprintln!("skipped: there is no emulator for {platform}");
            continue;
        };
        let answer = run(&packages, &platform, emulator);
        let expected = [0.032_058_604, 0.087_144_32, 0.236_882_8, 0.643_914_3];
        for (got, wanted) in answer.iter().zip(expected) {
            assert!((got - wanted).abs() < 1e-6, "{platform}: {answer:?}");
        }
        eprintln!("{platform}: {answer:?}");
    }
}
