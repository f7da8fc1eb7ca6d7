//! The addresses of services.

use super::profiles::Profile;
use super::variable;
use crate::failure::Failure;

/// A service, as it is named where addresses are configured.
pub(super) struct Service {
    variable: &'static str,
    setting: &'static str,
    /// The beginning of its host in the cloud.
    host: &'static str,
}

pub(super) const SAGEMAKER: Service = Service {
    variable: "AWS_ENDPOINT_URL_SAGEMAKER",
    setting: "sagemaker.endpoint_url",
    host: "api.sagemaker",
};

pub(super) const STS: Service = Service {
    variable: "AWS_ENDPOINT_URL_STS",
    setting: "sts.endpoint_url",
    host: "sts",
};

/// The address to call: the option's, the environment's, the profile's, or the
/// cloud's own.
pub(super) fn endpoint(
    service: &Service,
    option: Option<&str>,
    profile: &Profile,
    region: &str,
) -> String {
    let configured = || {
        variable(service.variable)
            .or_else(|| profile.services.get(service.setting).cloned())
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .or_else(|| profile.setting("endpoint_url").map(str::to_owned))
    };
    let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").or_else(|| {
        profile
            .setting("ignore_configured_endpoint_urls")
            .map(str::to_owned)
    });
    let ignored = ignored.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    option
        .map(str::to_owned)
        .or_else(|| configured().filter(|_| !ignored))
        .unwrap_or_else(|| of_cloud(service, region))
}

fn of_cloud(service: &Service, region: &str) -> String {
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{}.{region}.{suffix}", service.host)
}

/// Checks that a region can be a label in the name of a host.
pub(super) fn check_region(region: &str) -> Result<(), Failure> {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let valid = region.len() <= 63
        && region.chars().all(letters)
        && !region.starts_with('-')
        && !region.ends_with('-')
        && !region.chars().all(|letter| letter.is_ascii_digit());
    if valid {
        return Ok(());
    }
    let region = crate::python::quoted(region);
    Err(Failure::General(format!(
        "Provided region_name {region} doesn't match a supported format."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_has_an_address_in_each_region() {
        for (service, region, expected) in [
            (
                &SAGEMAKER,
                "eu-west-1",
                "https://api.sagemaker.eu-west-1.amazonaws.com",
            ),
            (
                &STS,
                "cn-north-1",
                "https://sts.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(of_cloud(service, region), expected);
        }
    }

    #[test]
    fn regions_are_labels() {
        assert!(check_region("us-east-1").is_ok());
        for region in ["bad region", "-a", "a-", "12", "a/b"] {
            assert!(check_region(region).is_err(), "{region}");
        }
    }
}
