//! Puts ONNX models before the compiler: for each path on its input, a line, reads the
//! model and writes the program beside it, and says `ok` or what is wrong.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::path::Path;

use kiln_compile::neural::import::import;

fn main() -> io::Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        match write_program(Path::new(&line)) {
            Ok(()) => println!("ok"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

fn write_program(path: &Path) -> Result<(), Box<dyn Error>> {
    let model = kiln_graph::onnx::open(path)?;
    let program = import(&model)?;
    let mut file = BufWriter::new(File::create(path.with_extension("mlirbc"))?);
    program.write_bytecode(&mut file)?;
    Ok(file.flush()?)
}
