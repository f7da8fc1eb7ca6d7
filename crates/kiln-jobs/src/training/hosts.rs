//! The hosts of a job: their names, instance types and groups, as its
//! `ResourceConfig` says.

use kiln_model::api::{ResourceConfig, TrainingInstanceType};

use super::request::Place;

/// The most hosts that a job may have.
pub const MOST: usize = 32;

/// The names of instances that evaluate rules, without their numbers.
const RULE: &str = "rule-";

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name, such as `algo-1`. Numbers go through all groups.
    pub name: String,
    /// What it is.
    pub instance_type: TrainingInstanceType,
    /// The instance group that it belongs to.
    pub group: String,
}

/// The hosts of a job, in the order of their numbers.
#[must_use]
pub fn hosts(resources: Option<&ResourceConfig>) -> Vec<HostSpec> {
    let groups = groups(resources);
    let members = groups.iter().flat_map(|(group, instance_type, count)| {
        (0..*count).map(move |_| (group.clone(), *instance_type))
    });
    let host = |(n, (group, instance_type))| HostSpec {
        name: name(n),
        instance_type,
        group,
    };
    members.enumerate().map(host).collect()
}

/// Name, type and size of each group.
fn groups(resources: Option<&ResourceConfig>) -> Vec<(String, TrainingInstanceType, i32)> {
    let Some(resources) = resources else {
        return Vec::new();
    };
    if let Some(groups) = &resources.instance_groups {
        let group = groups.iter().map(|group| {
            let name = group.instance_group_name.clone();
            (name, group.instance_type, group.instance_count)
        });
        return group.collect();
    }
    let all = |instance_type| {
        let count = resources.instance_count.unwrap_or(1);
        (Place::HOMOGENEOUS.to_owned(), instance_type, count)
    };
    resources.instance_type.map(all).into_iter().collect()
}

/// The name of a host by its position.
#[must_use]
pub fn name(position: usize) -> String {
    format!("algo-{}", position + 1)
}

/// The name of the instance that evaluates a rule, by the rule's position.
#[must_use]
pub fn rule_name(position: usize) -> String {
    format!("{RULE}{}", position + 1)
}

/// What an instance is to its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The host at this position.
    Host(usize),
    /// What evaluates the rule at this position.
    Rule(usize),
}

impl Role {
    /// The role of an instance by its name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let Some(number) = name.strip_prefix(RULE) else {
            return position(name).map(Self::Host);
        };
        let number: usize = number.parse().ok()?;
        number.checked_sub(1).map(Self::Rule)
    }
}

/// The position of a host by its name.
#[must_use]
pub fn position(name: &str) -> Option<usize> {
    let number: usize = name.strip_prefix("algo-")?.parse().ok()?;
    number.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(resources: Value) -> Vec<(String, String, String)> {
        let resources: ResourceConfig = serde_json::from_value(resources).unwrap();
        let hosts = hosts(Some(&resources)).into_iter();
        let seen = |host: HostSpec| (host.name, host.instance_type.to_string(), host.group);
        hosts.map(seen).collect()
    }

    fn host(name: &str, kind: &str, group: &str) -> (String, String, String) {
        (name.to_owned(), kind.to_owned(), group.to_owned())
    }

    #[test]
    fn hosts_are_numbered_through_all_groups() {
        let alike = of(json!({"InstanceType": "ml.m5.large", "InstanceCount": 2}));
        let expected = ["algo-1", "algo-2"].map(|n| host(n, "ml.m5.large", "homogeneousCluster"));
        assert_eq!(alike, expected);
        let mixed = of(json!({"InstanceGroups": [
            {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1},
            {"InstanceGroupName": "b", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
        ]}));
        let expected = [
            host("algo-1", "ml.m5.large", "a"),
            host("algo-2", "ml.c5.xlarge", "b"),
            host("algo-3", "ml.c5.xlarge", "b"),
        ];
        assert_eq!(mixed, expected);
    }

    #[test]
    fn a_name_says_its_position() {
        for at in [0, 1, 9, 31] {
            assert_eq!(position(&name(at)), Some(at));
            assert_eq!(Role::of(&name(at)), Some(Role::Host(at)));
            assert_eq!(position(&rule_name(at)), None);
            assert_eq!(Role::of(&rule_name(at)), Some(Role::Rule(at)));
        }
        for odd in [
            "algo-0", "algo-", "algo", "x-1", "algo-x", "rule-0", "rule-",
        ] {
            assert_eq!(position(odd), None, "{odd}");
            assert_eq!(Role::of(odd), None, "{odd}");
        }
    }
}
