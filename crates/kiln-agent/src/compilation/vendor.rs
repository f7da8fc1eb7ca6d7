//! A compilation by an image in place of Kiln, for a target that only its maker's compiler
//! builds for: what the container is given, and the artifact of what it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kiln_compile::Order;
use kiln_compile::archive::Limits;
use kiln_compile::pipeline::Brought;
use kiln_data::upload::look_at;

use super::task::{ARTIFACT, COMPILED, Findings};
use super::workplace::Workplace;
use super::{VOLUME_BYTES, failure};
use crate::contract::COMPILER_OPTIONS;
use crate::failure::internal;
use crate::left;
use crate::plan::{CompilationPlan, VendorPlan};
use crate::solo::unpack;

/// Unpacks the archive where the container finds its model. This blocks.
///
/// # Errors
/// The reason for the job's failure.
pub(super) fn open(workplace: &Workplace) -> Result<(), String> {
    let into = workplace.vendors().map_err(|error| internal(&error))?.given;
    unpack(&workplace.archive(), &into, &Limits::default())
}

/// The container's variables beside the contract's: what the request says of the model.
pub(super) fn environment(order: &Order, vendor: &VendorPlan) -> BTreeMap<String, String> {
    let given = [
        (COMPILER_OPTIONS, order.compiler_options.as_ref()),
        ("KILN_DATA_INPUT_CONFIG", order.data_input_config.as_ref()),
        ("KILN_FRAMEWORK", Some(&order.framework)),
        ("KILN_FRAMEWORK_VERSION", order.framework_version.as_ref()),
        ("KILN_TARGET", Some(&vendor.target)),
    ];
    let given = given.into_iter();
    given
        .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())))
        .collect()
}

/// Makes of what the container has left what one of Kiln's own leaves: an artifact, and
/// what was found out, which is nothing. Lines for the job's log are answered. This blocks.
///
/// # Errors
/// The reason for the job's failure.
pub(super) fn pack(
    plan: &CompilationPlan,
    vendor: &VendorPlan,
    workplace: &Workplace,
    seconds: f64,
) -> Result<Vec<String>, String> {
    let made = workplace.places().made;
    let tree = look_at(&made).map_err(|error| internal(&error))?;
    // A file need not take the room on the disk that it says it does.
    let bytes = tree.files.iter().map(|(_, bytes)| bytes);
    let bytes = bytes.fold(0_u64, |all, bytes| all.saturating_add(*bytes));
    if bytes > VOLUME_BYTES {
        return Err(failure::of_size(bytes, VOLUME_BYTES));
    }
    let names: Vec<_> = tree.files.into_iter().map(|(name, _)| name).collect();
    let brought = Brought {
        image: &vendor.image,
        framework: &plan.order.framework,
        target: &vendor.target,
        seconds,
    };
    let open = |name: &Path| left::open(&made, name);
    let packed = brought.pack(&names, open, &workplace.output().join(ARTIFACT));
    packed.map_err(|error| internal(&error))?;
    let findings = serde_json::to_vec(&Findings::default()).map_err(|error| internal(&error))?;
    let written = fs::write(workplace.output().join(COMPILED), findings);
    written.map_err(|error| internal(&error))?;
    let links = tree.links.iter();
    let links = links.map(|name| format!("{} is a link, and is not stored", name.display()));
    let taken = names.iter().filter(|name| Brought::is_taken(name));
    let taken = taken.map(|name| format!("{} is Kiln's own, and replaced", name.display()));
    let lines = links.chain(taken).map(|line| format!("Kiln: {line}"));
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::plan::sample;

    fn vendor() -> VendorPlan {
        VendorPlan {
            image: "neuron:1".to_owned(),
            target: "ml_inf1".to_owned(),
        }
    }

    fn made() -> (tempfile::TempDir, Workplace) {
        let place = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(place.path()).unwrap();
        workplace.vendors().unwrap();
        (place, workplace)
    }

    #[test]
    fn a_container_is_told_what_the_request_says() {
        let bare = Order {
            framework: "ONNX".to_owned(),
            ..Order::default()
        };
        let full = Order {
            framework_version: Some("1.7".to_owned()),
            data_input_config: Some("{'x': [1]}".to_owned()),
            compiler_options: Some("\"--verbose 1\"".to_owned()),
            ..bare.clone()
        };
        let told = |order| {
            let told = environment(order, &vendor()).into_iter();
            told.map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&bare), ["KILN_FRAMEWORK=ONNX", "KILN_TARGET=ml_inf1"]);
        let expected = [
            "COMPILER_OPTIONS=\"--verbose 1\"",
            "KILN_DATA_INPUT_CONFIG={'x': [1]}",
            "KILN_FRAMEWORK=ONNX",
            "KILN_FRAMEWORK_VERSION=1.7",
            "KILN_TARGET=ml_inf1",
        ];
        assert_eq!(told(&full), expected);
    }

    #[test]
    fn what_is_no_archive_is_the_requests_fault() {
        let place = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(place.path()).unwrap();
        fs::write(workplace.archive(), "no archive").unwrap();
        let reason = open(&workplace).unwrap_err();
        let expected = "ClientError: InputConfiguration: Unable to untar input model.";
        assert!(reason.starts_with(expected), "{reason}");
    }

    #[test]
    fn plain_files_become_the_artifact_and_the_rest_is_told() {
        let (_place, workplace) = made();
        let made = workplace.places().made;
        fs::write(made.join("model.neff"), "code").unwrap();
        fs::write(made.join("manifest"), "its own").unwrap();
        symlink("/etc/passwd", made.join("link")).unwrap();
        let lines = pack(&sample::compilation(), &vendor(), &workplace, 1.0).unwrap();
        let expected = [
            "Kiln: link is a link, and is not stored",
            "Kiln: manifest is Kiln's own, and replaced",
        ];
        assert_eq!(lines, expected);
        let file = fs::File::open(workplace.output().join(ARTIFACT)).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
        let entries = archive.entries().unwrap();
        let names = entries.map(|entry| entry.unwrap().path().unwrap().display().to_string());
        let expected = ["model.neff", "kiln-report.json", "manifest"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        assert!(workplace.output().join(COMPILED).exists());
    }

    #[test]
    fn a_file_with_holes_is_no_larger_than_an_artifact_can_be() {
        let (_place, workplace) = made();
        let file = fs::File::create(workplace.places().made.join("hole")).unwrap();
        file.set_len(VOLUME_BYTES + 1).unwrap();
        let reason = pack(&sample::compilation(), &vendor(), &workplace, 1.0).unwrap_err();
        assert!(
            reason.contains("What the image has left would be"),
            "{reason}"
        );
    }
}
