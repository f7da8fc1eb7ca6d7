//! What only the agent adds to a container.

use super::*;
use crate::plan::sample::plan;

fn names(plan: &InstancePlan, endpoint: Option<&str>) -> Vec<String> {
    let all = environment(plan, endpoint).into_iter();
    all.map(|(name, _)| name).collect()
}

#[test]
fn keys_go_with_a_way_to_the_control_plane_and_a_cache_with_a_warm_pool() {
    let mut plan = plan(1, 0);
    plan.environment.insert("OWN".to_owned(), "x".to_owned());
    assert_eq!(names(&plan, None), ["OWN"]);
    plan.warm_pool_cache = Some("/cache".into());
    let variable = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY";
    let all = environment(&plan, None);
    let cache = (
        variable.to_owned(),
        "/opt/ml/sagemaker/warmpoolcache".to_owned(),
    );
    assert_eq!(all[1..], [cache]);
    let expected = [
        "OWN",
        variable,
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "S3_ENDPOINT_URL",
    ];
    assert_eq!(names(&plan, Some("http://169.254.170.2")), expected);
}
