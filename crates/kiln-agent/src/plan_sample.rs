//! A plan for tests.

use crate::cluster::Host;

use super::*;

fn keys() -> Keys {
    Keys {
        access_key: "AKIA".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: String::new(),
    }
}

/// The plan of one of several hosts, whose outputs stay single files, and which
/// needs nothing and nobody.
pub(crate) fn plan(hosts: usize, own: usize) -> InstancePlan {
    let host = |number: usize| Host {
        name: format!("algo-{}", number + 1),
        instance: format!("i{number}"),
    };
    InstancePlan {
        instance: format!("i{own}"),
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
        keys: keys(),
        store: StorePlan {
            endpoint: None,
            region: "us-east-1".to_owned(),
            keys: keys(),
        },
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
        limits: Limits {
            memory_bytes: 1,
            cpus: 1.0,
            processes: 1,
            shm_bytes: 0,
        },
        gpus: Vec::new(),
        warm_pool_cache: None,
        network: NetworkPolicy::Open,
        max_runtime_seconds: 1,
        grace_seconds: 1,
    }
}
