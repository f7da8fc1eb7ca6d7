//! Plans for tests.

use std::collections::BTreeMap;

use super::*;
use crate::cluster::{Cluster, Host};
use crate::runtime::{Limits, NetworkPolicy, Start};

fn keys() -> Keys {
    Keys {
        access_key: "AKIA".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: String::new(),
    }
}

/// What the instance is told of a server and a store that are nowhere.
fn assignment(instance: &str) -> Assignment {
    Assignment {
        instance: instance.to_owned(),
        token: String::new(),
        server: String::new(),
        site: Site {
            control: ControlAddress::Fixed(([127, 0, 0, 1], 1).into()),
            data_dir: PathBuf::new(),
            cache_dir: PathBuf::new(),
            images: Vec::new(),
            engine_socket: None,
            tolerance: Tolerance::default(),
            region: "us-east-1".to_owned(),
            fast_file: FastFile::default(),
        },
        store: StorePlan {
            endpoint: None,
            region: "us-east-1".to_owned(),
            keys: keys(),
        },
    }
}

/// What any container may use.
const LIMITS: Limits = Limits {
    memory_bytes: 1,
    cpus: 1.0,
    processes: 1,
    shm_bytes: 0,
};

/// The plan of one of several hosts, whose outputs stay single files, and which
/// needs nothing and nobody.
pub(crate) fn plan(hosts: usize, own: usize) -> InstancePlan {
    let host = |number: usize| Host {
        name: format!("algo-{}", number + 1),
        instance: format!("i{number}"),
    };
    InstancePlan {
        assignment: assignment(&format!("i{own}")),
        keys: keys(),
        image: "image".to_owned(),
        start: Start::default(),
        environment: BTreeMap::new(),
        config: BTreeMap::new(),
        cluster: Cluster {
            hosts: (0..hosts).map(host).collect(),
            own,
        },
        cluster_key: None,
        channels: Vec::new(),
        directories: Vec::new(),
        outputs: OutputPlan {
            bucket: "b".to_owned(),
            prefix: "job/output/".to_owned(),
            compressed: false,
            kms_key: None,
        },
        synchronised: Vec::new(),
        volume_bytes: u64::MAX,
        metrics: Vec::new(),
        rule: None,
        profile: None,
        limits: LIMITS,
        gpus: Vec::new(),
        warm_pool_cache: None,
        network: NetworkPolicy::Open,
        max_runtime_seconds: 1,
        grace_seconds: 1,
    }
}

/// The plan of a compilation of a model that is nowhere.
pub(crate) fn compilation() -> CompilationPlan {
    let object = |key: &str| ObjectPlan {
        bucket: "b".to_owned(),
        key: key.to_owned(),
    };
    CompilationPlan {
        assignment: assignment("c0"),
        input: object("model.tar.gz"),
        output: object("out/model-ml_c5.tar.gz"),
        kms_key: None,
        order: kiln_compile::Order {
            framework: "XGBOOST".to_owned(),
            target_device: Some("ml_c5".to_owned()),
            ..kiln_compile::Order::default()
        },
        vendor: None,
        limits: LIMITS,
        max_runtime_seconds: 1,
    }
}

/// The plan of an optimization of a model that is nowhere, in one step of Kiln's own.
pub(crate) fn optimization() -> OptimizationPlan {
    let prefix = |prefix: &str| PrefixPlan {
        bucket: "b".to_owned(),
        prefix: prefix.to_owned(),
    };
    OptimizationPlan {
        assignment: assignment("o0"),
        model: ModelPlan::Files(prefix("model/")),
        output: prefix("out/"),
        kms_key: None,
        steps: vec![StepPlan {
            technique: kiln_optimize::Technique::Quantization,
            image: None,
            environment: BTreeMap::from([("OPTION_QUANTIZE".to_owned(), "w4a16".to_owned())]),
            calibration: None,
        }],
        deployment: "ml.g5.xlarge".to_owned(),
        keys: keys(),
        limits: LIMITS,
        gpus: Vec::new(),
        max_runtime_seconds: 3600,
        reported: 0,
        takes_back: false,
    }
}
