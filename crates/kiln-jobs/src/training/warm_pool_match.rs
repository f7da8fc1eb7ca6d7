//! Which jobs may have each other's warm pools: those that ask for the same
//! machines in the same surroundings.

use kiln_model::api::CreateTrainingJobRequest;
use serde_json::json;

/// What a job must have in common with the one that left a pool, written as
/// text. Jobs that can have no pool at all have none.
#[must_use]
pub fn match_key(request: &CreateTrainingJobRequest) -> Option<String> {
    let resources = request.resource_config.as_ref()?;
    let spot = request.enable_managed_spot_training == Some(true);
    if spot || resources.instance_groups.is_some() {
        return None;
    }
    let sorted = |list: &Vec<String>| {
        let mut list = list.clone();
        list.sort_unstable();
        list
    };
    let vpc = request.vpc_config.as_ref();
    let chaining = request.session_chaining_config.as_ref();
    let key = json!([
        request.role_arn,
        resources.instance_type,
        resources.instance_count,
        resources.volume_size_in_gb,
        resources.volume_kms_key_id.as_deref().unwrap_or_default(),
        vpc.map(|vpc| [sorted(&vpc.security_group_ids), sorted(&vpc.subnets)]),
        request.enable_inter_container_traffic_encryption == Some(true),
        request.enable_network_isolation == Some(true),
        chaining.and_then(|chaining| chaining.enable_session_tag_chaining) == Some(true),
    ]);
    Some(key.to_string())
}

/// For how many seconds a job's machines are kept after its end.
#[must_use]
pub fn keep_alive(request: &CreateTrainingJobRequest) -> u32 {
    let resources = request.resource_config.as_ref();
    let seconds = resources.and_then(|resources| resources.keep_alive_period_in_seconds);
    seconds.unwrap_or(0).max(0).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn request(changes: &[(&str, Value)]) -> CreateTrainingJobRequest {
        let mut request = json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://outputs"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5,
            },
            "VpcConfig": {"SecurityGroupIds": ["sg-1", "sg-2"], "Subnets": ["subnet-1"]},
        });
        for (pointer, value) in changes {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            request.pointer_mut(parent).unwrap()[name] = value.clone();
        }
        serde_json::from_value(request).unwrap()
    }

    fn key(pointer: &str, value: Value) -> Option<String> {
        match_key(&request(&[(pointer, value)]))
    }

    #[test]
    fn jobs_match_in_spite_of_what_they_do_with_their_machines() {
        let plain = match_key(&request(&[]));
        assert!(plain.is_some());
        let alike = [
            ("/TrainingJobName", json!("other")),
            ("/ResourceConfig/KeepAlivePeriodInSeconds", json!(60)),
            ("/ResourceConfig/VolumeKmsKeyId", json!("")),
            ("/EnableNetworkIsolation", json!(false)),
            ("/EnableInterContainerTrafficEncryption", json!(false)),
            ("/EnableManagedSpotTraining", json!(false)),
            ("/VpcConfig/SecurityGroupIds", json!(["sg-2", "sg-1"])),
            ("/HyperParameters", json!({"a": "b"})),
            ("/OutputDataConfig/S3OutputPath", json!("s3://elsewhere")),
        ];
        for (pointer, value) in alike {
            assert_eq!(key(pointer, value), plain, "{pointer}");
        }
    }

    #[test]
    fn jobs_do_not_match_on_other_machines_or_in_other_surroundings() {
        let mut seen = vec![match_key(&request(&[]))];
        let others = [
            ("/RoleArn", json!("arn:aws:iam::123456789012:role/s")),
            ("/ResourceConfig/InstanceCount", json!(2)),
            ("/ResourceConfig/InstanceType", json!("ml.m5.xlarge")),
            ("/ResourceConfig/VolumeKmsKeyId", json!("key")),
            ("/ResourceConfig/VolumeSizeInGB", json!(6)),
            ("/VpcConfig/SecurityGroupIds", json!(["sg-1"])),
            ("/VpcConfig/Subnets", json!(["subnet-2"])),
            ("/VpcConfig", Value::Null),
            ("/EnableInterContainerTrafficEncryption", json!(true)),
            ("/EnableNetworkIsolation", json!(true)),
        ];
        for (pointer, value) in others {
            let key = key(pointer, value);
            assert!(key.is_some() && !seen.contains(&key), "{pointer}");
            seen.push(key);
        }
    }

    #[test]
    fn spot_jobs_and_mixed_clusters_have_no_pools() {
        assert_eq!(key("/EnableManagedSpotTraining", json!(true)), None);
        let groups = json!({"InstanceGroups": [
            {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1},
        ]});
        assert_eq!(key("/ResourceConfig", groups), None);
    }

    #[test]
    fn what_is_not_asked_for_is_not_kept() {
        let keep = "/ResourceConfig/KeepAlivePeriodInSeconds";
        assert_eq!(keep_alive(&request(&[])), 0);
        assert_eq!(keep_alive(&request(&[(keep, json!(0))])), 0);
        assert_eq!(keep_alive(&request(&[(keep, json!(60))])), 60);
    }
}
