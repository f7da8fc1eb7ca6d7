//! Compiles ONNX models for this machine, many in one process: for each path that it
//! reads, a line, it answers `ok` and the compiled module's path, or what is wrong. The
//! compiler is that of the Python packages in the folder `KILN_COMPILER_PACKAGES`.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use kiln_compile::neural::compiler::{LIBRARY, Mlir};
use kiln_compile::neural::import::{ENTRY, import};
use kiln_compile::neural::{Device, Engine as _, Iree, MODULE, Network, Signature, Traits, Trials};
use kiln_compile::target::{Arch, Os, Platform};
use kiln_graph::clean::{Sizes, clean};

fn main() -> Result<(), Box<dyn Error>> {
    let packages = std::env::var_os("KILN_COMPILER_PACKAGES").ok_or("no KILN_COMPILER_PACKAGES")?;
    let scratch = tempfile::tempdir()?;
    let engine = Iree::open(
        &PathBuf::from(packages).join(LIBRARY),
        here(),
        scratch.path(),
    )?;
    for line in io::stdin().lock().lines() {
        let answer = match compile(&engine, Path::new(&line?), scratch.path()) {
            Ok(module) => format!("ok {}", module.display()),
            Err(error) => error.to_string().replace('\n', " "),
        };
        println!("{answer}");
    }
    Ok(())
}

fn here() -> Device {
    let arch = if cfg!(target_arch = "aarch64") {
        Arch::Arm64
    } else {
        Arch::X86_64
    };
    Device::Cpu(Platform {
        os: Os::Linux,
        arch,
        cpu: None,
        features: Vec::new(),
    })
}

fn compile(engine: &Iree, path: &Path, scratch: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let model = clean(kiln_graph::onnx::open(path)?, &Sizes::new())?;
    let program = scratch.join("program.mlirbc");
    let mut file = BufWriter::new(File::create(&program)?);
    import(&model)?.write_bytecode(&mut file)?;
    file.flush()?;
    let network = Network {
        mlir: Mlir::File(&program),
        // For a loader, which these modules have none of.
        signature: &Signature::new(ENTRY, Vec::new(), Vec::new()),
        traits: Traits::of(&model),
    };
    let mut trials = Trials {
        scratch,
        judge: None,
        log: &mut |_| (),
    };
    let built = engine.build(&network, &mut trials)?;
    Ok(built.folder.join(MODULE))
}
