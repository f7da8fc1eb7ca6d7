//! The environments there are, each with the lock that says what is in it.

use super::catalogue::{Environment, Framework, Purpose, Release, Version};

/// An environment whose lock has its name.
macro_rules! environment {
    ($name:literal, $pythons:expr, $purpose:expr) => {
        Environment {
            name: $name,
            purpose: $purpose,
            pythons: $pythons,
            lock: include_str!(concat!("../../../environments/locks/", $name, ".lock")),
        }
    };
}

/// All environments: each framework's from old to new, and then Kiln's own tools.
pub(super) static ALL: [Environment; 12] = [
    environment!(
        "scikit-learn-1.2",
        10..=11,
        image(Framework::ScikitLearn, (1, 2), "1.2.1")
    ),
    environment!(
        "scikit-learn-1.4",
        10..=12,
        image(Framework::ScikitLearn, (1, 4), "1.4.2")
    ),
    environment!(
        "scikit-learn-1.7",
        10..=13,
        image(Framework::ScikitLearn, (1, 7), "1.7.2")
    ),
    environment!(
        "xgboost-1.7",
        10..=11,
        image(Framework::Xgboost, (1, 7), "1.7.6")
    ),
    environment!(
        "xgboost-3.0",
        10..=13,
        image(Framework::Xgboost, (3, 0), "3.0.5")
    ),
    environment!(
        "pytorch-2.8",
        10..=13,
        image(Framework::PyTorch, (2, 8), "2.8.0")
    ),
    // Compiles neural networks, and runs them for comparison.
    environment!(
        "compiler",
        10..=13,
        tool(&["iree.compiler.ir", "numpy", "onnxruntime", "ziglang"])
    ),
    // Makes and links native code: all that an ensemble of trees needs.
    environment!("compiler-trees", 10..=13, tool(&["ziglang"])),
    // Reads models that scikit-learn has pickled.
    environment!("exporter-sklearn", 10..=13, tool(&["joblib", "sklearn"])),
    // Read what PyTorch, TensorFlow and Keras have saved, the latter two for Apple's systems too.
    environment!(
        "exporter-pytorch",
        10..=13,
        tool(&["onnx", "onnxruntime", "onnxscript", "torch", "torchvision"])
    ),
    environment!(
        "exporter-tensorflow",
        10..=13,
        tool(&[
            "coremltools",
            "keras",
            "onnx",
            "onnxruntime",
            "tensorflow",
            "tf2onnx"
        ])
    ),
    // Converts what PyTorch has saved for Apple's systems.
    environment!("exporter-coreml", 10..=13, tool(&["coremltools", "torch"])),
];

const fn image(framework: Framework, (major, minor): (u32, u32), name: &'static str) -> Purpose {
    Purpose::Image(Release {
        framework,
        version: Version::new(major, minor),
        name,
    })
}

const fn tool(modules: &'static [&'static str]) -> Purpose {
    Purpose::Tool { modules }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pins(environment: &Environment, name: &str, version: &str) -> bool {
        let wanted = format!("{name}=={version}");
        environment.lock.lines().any(|line| line == wanted)
    }

    #[test]
    fn every_lock_pins_all_that_it_names() {
        for environment in &ALL {
            let all = environment.lock.lines();
            let mut packages = all.filter(|line| !line.starts_with('#'));
            assert!(
                packages.all(|line| line.contains("==")),
                "{}",
                environment.name
            );
        }
    }

    #[test]
    fn every_image_s_lock_pins_the_framework_and_the_toolkit() {
        for environment in &ALL {
            let Some(release) = environment.release() else {
                continue;
            };
            let package = match release.framework {
                Framework::ScikitLearn => "scikit-learn",
                Framework::Xgboost if environment.name == "xgboost-3.0" => "xgboost-cpu",
                Framework::Xgboost => "xgboost",
                Framework::PyTorch => "torch",
            };
            assert!(
                pins(environment, package, release.name),
                "{}",
                environment.name
            );
            assert!(
                pins(environment, "sagemaker-training", "5.1.4"),
                "{}",
                environment.name
            );
        }
    }

    #[test]
    fn the_compilers_are_of_one_release() {
        let with = |name: &str, version: &str| {
            let all = ALL.iter().filter(|one| pins(one, name, version));
            all.map(|environment| environment.name).collect::<Vec<_>>()
        };
        assert_eq!(with("iree-base-compiler", "3.13.0"), ["compiler"]);
        assert_eq!(with("ziglang", "0.17.0"), ["compiler", "compiler-trees"]);
    }
}
