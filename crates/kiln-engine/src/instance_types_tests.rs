//! The sizes of types that are known from the cloud, and of all in the model.

use kiln_model::api::TrainingInstanceType;

use super::*;

#[test]
fn every_training_type_of_the_model_is_known() {
    for kind in TrainingInstanceType::ALL {
        let size = known(kind.as_str());
        assert!(
            size.is_some_and(|size| size.cpus >= 2 && size.memory >= 4 * GIB),
            "{kind}: {size:?}"
        );
    }
}

#[test]
fn accelerated_families_and_no_others_have_gpus() {
    for kind in TrainingInstanceType::ALL {
        let name = kind.as_str();
        let accelerated = name.starts_with("ml.p") || name.starts_with("ml.g");
        let gpus = known(name).map(|size| size.gpus > 0);
        assert_eq!(gpus, Some(accelerated), "{name}");
    }
}

#[test]
fn well_known_types_have_the_sizes_of_the_cloud() {
    let cases = [
        ("ml.m4.10xlarge", 40, 160.0, 0),
        ("ml.m5.large", 2, 8.0, 0),
        ("ml.m5.xlarge", 4, 16.0, 0),
        ("ml.m5.24xlarge", 96, 384.0, 0),
        ("ml.m7i.48xlarge", 192, 768.0, 0),
        ("ml.c4.xlarge", 4, 7.5, 0),
        ("ml.c4.8xlarge", 36, 60.0, 0),
        ("ml.c5.2xlarge", 8, 16.0, 0),
        ("ml.c5.18xlarge", 72, 144.0, 0),
        ("ml.c5n.xlarge", 4, 10.5, 0),
        ("ml.c5n.18xlarge", 72, 192.0, 0),
        ("ml.r5.4xlarge", 16, 128.0, 0),
        ("ml.t3.medium", 2, 4.0, 0),
        ("ml.t3.large", 2, 8.0, 0),
        ("ml.t3.2xlarge", 8, 32.0, 0),
        ("ml.g4dn.xlarge", 4, 16.0, 1),
        ("ml.g4dn.12xlarge", 48, 192.0, 4),
        ("ml.g4dn.16xlarge", 64, 256.0, 1),
        ("ml.g5.2xlarge", 8, 32.0, 1),
        ("ml.g5.48xlarge", 192, 768.0, 8),
        ("ml.g6e.xlarge", 4, 32.0, 1),
        ("ml.p2.16xlarge", 64, 732.0, 16),
        ("ml.p3.2xlarge", 8, 61.0, 1),
        ("ml.p3.16xlarge", 64, 488.0, 8),
        ("ml.p3dn.24xlarge", 96, 768.0, 8),
        ("ml.p4d.24xlarge", 96, 1152.0, 8),
        ("ml.p5.4xlarge", 16, 256.0, 1),
        ("ml.p5.48xlarge", 192, 2048.0, 8),
        ("ml.trn1.2xlarge", 8, 32.0, 0),
        ("ml.trn1.32xlarge", 128, 512.0, 0),
        ("ml.trn2.48xlarge", 192, 2048.0, 0),
    ];
    for (name, cpus, gib, gpus) in cases {
        let memory = (gib * GIB as f64) as u64;
        let expected = Size { cpus, memory, gpus };
        assert_eq!(known(name), Some(expected), "{name}");
    }
}

#[test]
fn what_a_person_sets_comes_first_and_what_nobody_knows_is_small() {
    let own = Size {
        cpus: 3,
        memory: GIB,
        gpus: 2,
    };
    let types = InstanceTypes::with([("ml.m5.large".to_owned(), own)]);
    assert_eq!(types.size("ml.m5.large"), own);
    assert_eq!(types.size("ml.m5.xlarge").cpus, 4);
    for unknown in ["", "ml.", "m5.large", "ml.m5.huge", "ml.z9.large"] {
        assert_eq!(known(unknown), None, "{unknown}");
        assert_eq!(types.size(unknown), FALLBACK, "{unknown}");
    }
    assert_eq!(known("ml.m5.4294967295xlarge"), None);
}
