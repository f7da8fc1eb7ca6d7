//! The parts of tree ensembles: `kernel.o`, the library that clients load, and
//! for Linux the program that runs a model without a client.

use super::link;
use super::recipe::{Recipe, Source, Step};
use super::target::{arm_flags, is_soft_float, triple};
use crate::target::{Os, Platform};
use crate::trees::KERNEL_FLAGS;

const LOADER: [&str; 3] = ["dlr", "metadata", "trees_model"];

pub(super) fn recipe(platform: &Platform) -> Recipe {
    let mut recipe = Recipe {
        sources: sources(),
        products: vec![
            "kernel.o".to_owned(),
            link::loader_name(platform).to_owned(),
        ],
        ..Recipe::default()
    };
    recipe.stages.push(objects(platform));
    match platform.os {
        Os::Windows => windows(platform, &mut recipe),
        Os::Linux | Os::Android => elf(platform, &mut recipe),
    }
    recipe
}

fn sources() -> Vec<Source> {
    macro_rules! native {
        ($($name:literal),*) => {
            vec![$(Source::of($name, include_str!(concat!("../../native/", $name)))),*]
        };
    }
    let mut sources = native![
        "arithmetic.zig",
        "dlr.c",
        "kernel32-x86.def",
        "kernel32.def",
        "libc.c",
        "metadata.c",
        "metadata.h",
        "model.h",
        "runner.c",
        "start.c",
        "system.h",
        "system_posix.c",
        "system_windows.c",
        "text.h",
        "trees_model.c"
    ];
    sources.push(Source::of("kernel.c", crate::trees::KERNEL));
    sources
}

fn objects(platform: &Platform) -> Vec<Step> {
    let mut names: Vec<&str> = LOADER.to_vec();
    match platform.os {
        Os::Windows => names.push("system_windows"),
        Os::Android => names.push("system_posix"),
        Os::Linux => names.extend(["system_posix", "runner", "start"]),
    }
    let mut steps = vec![compile(platform, "kernel.c", kernel_output(platform), &[])];
    for name in names {
        steps.push(compile(
            platform,
            &format!("{name}.c"),
            &format!("{name}.o"),
            &[],
        ));
    }
    if is_soft_float(platform) {
        steps.push(arithmetic(platform));
    }
    steps
}

/// Where the processor lacks floating point, the kernel is not whole before it
/// is joined with what counts in its stead.
fn kernel_output(platform: &Platform) -> &'static str {
    if is_soft_float(platform) {
        "bare.o"
    } else {
        "kernel.o"
    }
}

fn compile(platform: &Platform, source: &str, output: &str, flags: &[&str]) -> Step {
    let mut arguments: Vec<String> = ["cc", "-c", "-target", triple(platform)]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(KERNEL_FLAGS.map(str::to_owned));
    // There is no library to unwind the stack, to guard it or to explain
    // undefined behaviour.
    let bare = [
        "-fno-unwind-tables",
        "-fno-asynchronous-unwind-tables",
        "-fno-stack-protector",
        "-fno-sanitize=all",
        "-ffunction-sections",
    ];
    arguments.extend(bare.map(str::to_owned));
    arguments.extend(arm_flags(platform));
    arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
    arguments.extend([source, "-o", output].map(str::to_owned));
    let what = format!("compile {source}");
    Step { what, arguments }
}

/// zig's own functions for what the processor cannot do.
fn arithmetic(platform: &Platform) -> Step {
    let source = "arithmetic.zig";
    let target = ["build-obj", "-target", triple(platform)];
    let flags = [
        "-O",
        "ReleaseSmall",
        "-fPIC",
        "-ffunction-sections",
        "-fcompiler-rt",
    ];
    let files = ["-femit-bin=arithmetic.o", source];
    let words = target.iter().chain(&flags).chain(&files);
    let arguments = words.map(|&word| word.to_owned()).collect();
    let what = "compile the arithmetic of floating point".to_owned();
    Step { what, arguments }
}

fn windows(platform: &Platform, recipe: &mut Recipe) {
    recipe.stages.push(vec![Step {
        what: "stand in for kernel32.dll".to_owned(),
        arguments: link::import_library(platform, "kernel32.lib"),
    }]);
    let inputs = [
        "dlr.o",
        "metadata.o",
        "trees_model.o",
        "system_windows.o",
        "kernel32.lib",
    ];
    recipe.stages.push(vec![loader(platform, &inputs)]);
}

fn elf(platform: &Platform, recipe: &mut Recipe) {
    let names = match platform.os {
        Os::Android => ["libc.so", "libdl.so"],
        Os::Linux | Os::Windows => ["libc.so.6", "libdl.so.2"],
    };
    let visible = ["-fvisibility=default", "-w"];
    recipe.stages[0].extend([
        compile(platform, "libc.c", "libc.o", &visible),
        compile(
            platform,
            "libc.c",
            "libdl.o",
            &[&visible[..], &["-DLIBDL"]].concat(),
        ),
    ]);
    let stand_in = |name: &str, object: &str| Step {
        what: format!("stand in for {name}"),
        arguments: link::shared_library(platform, name, &[object]),
    };
    let mut second = vec![stand_in(names[0], "libc.o"), stand_in(names[1], "libdl.o")];
    if is_soft_float(platform) {
        second.push(whole_kernel());
    }
    recipe.stages.push(second);
    let inputs = [
        "dlr.o",
        "metadata.o",
        "trees_model.o",
        "system_posix.o",
        names[0],
        names[1],
    ];
    let mut last = vec![loader(platform, &inputs)];
    if platform.os == Os::Linux {
        let inputs = ["start.o", "runner.o", "system_posix.o", names[0], names[1]];
        last.push(Step {
            what: "link the runner".to_owned(),
            arguments: link::program(platform, "runner", &inputs),
        });
        recipe.products.push("runner".to_owned());
    }
    recipe.stages.push(last);
}

fn loader(platform: &Platform, inputs: &[&str]) -> Step {
    let output = link::loader_name(platform);
    Step {
        what: format!("link {output}"),
        arguments: link::shared_library(platform, output, inputs),
    }
}

fn whole_kernel() -> Step {
    let arguments = ["ld.lld", "-m", "armelf_linux_eabi", "-r", "-o", "kernel.o"];
    let inputs = ["bare.o", "arithmetic.o"];
    Step {
        what: "join the kernel with its arithmetic".to_owned(),
        arguments: arguments
            .iter()
            .chain(&inputs)
            .map(|&word| word.to_owned())
            .collect(),
    }
}
