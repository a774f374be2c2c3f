//! Which registry of Amazon ECR a host name is.

use std::fmt;

use ecs_registry_auth::Registry;

use crate::Partition;
use crate::arn::is_account;

/// The hosts of Amazon ECR Public.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/public/public-ecr-requests.html>.
const PUBLIC_HOSTS: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];

/// A private registry of Amazon ECR: an account's registry in a region, and the kind of host it was named by.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html>.
///
/// ```
/// use ecs_registry_auth::Registry;
/// use ecs_secret_resolver::EcrRegistry;
///
/// let host = Registry::from_host("111111111111.dkr.ecr.eu-west-1.amazonaws.com");
/// let registry = EcrRegistry::from_host(&host).ok_or("not a registry of Amazon ECR")?;
/// assert_eq!((registry.account.as_str(), registry.region.as_str()), ("111111111111", "eu-west-1"));
/// assert_eq!(EcrRegistry::from_host(&Registry::from_host("registry.example.com")), None);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct EcrRegistry {
    /// The registry id: the twelve digits of its account.
    pub account: String,
    /// The region it is in.
    pub region: String,
    /// The partition of that region.
    pub partition: Partition,
    /// Whether the host is a FIPS endpoint.
    pub fips: bool,
    /// Whether the host is a dual-stack (IPv4 and IPv6) endpoint.
    pub dual_stack: bool,
}

impl EcrRegistry {
    /// A registry by its account (twelve digits) and region; `None` when either cannot be one.
    #[must_use]
    pub fn new(account: &str, region: &str) -> Option<Self> {
        (is_account(account) && is_region(region)).then(|| Self {
            account: account.to_owned(),
            region: region.to_owned(),
            partition: Partition::of_region(region),
            fips: false,
            dual_stack: false,
        })
    }

    /// The registry behind a host; `None` when the host is not one of Amazon ECR's private registries.
    ///
    /// The whole host has to fit, up to the DNS suffix of the region's own partition and without a port: a token
    /// is sent to whatever this recognises.
    #[must_use]
    pub fn from_host(registry: &Registry) -> Option<Self> {
        let (account, rest) = registry.as_str().split_once('.')?;
        let (endpoint, rest) = rest.strip_prefix("dkr")?.split_at_checked(1)?;
        let dual_stack = match endpoint {
            "." => false,
            "-" => true,
            _ => return None,
        };
        let (service, rest) = rest.split_once('.')?;
        let fips = match service {
            "ecr" => false,
            "ecr-fips" => true,
            _ => return None,
        };
        let (region, suffix) = rest.split_once('.')?;
        let plain = Self::new(account, region)?;
        let found = Self {
            fips,
            dual_stack,
            ..plain
        };
        (found.dns_suffix() == Some(suffix)).then_some(found)
    }

    /// The host that an image reference names; `None` for dual-stack in a partition where no such host is known.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let separator = if self.dual_stack { '-' } else { '.' };
        let fips = if self.fips { "-fips" } else { "" };
        Some(format!(
            "{}.dkr{separator}ecr{fips}.{}.{}",
            self.account,
            self.region,
            self.dns_suffix()?
        ))
    }

    /// The ARN of a repository in this registry.
    ///
    /// Rule: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html>.
    #[must_use]
    pub fn repository_arn(&self, repository: &str) -> String {
        format!(
            "arn:{}:ecr:{}:{}:repository/{repository}",
            self.partition, self.region, self.account
        )
    }

    /// Whether both are the same account's registry in the same region, by whichever kind of host.
    pub(crate) fn is_same_registry(&self, other: &Self) -> bool {
        self.account == other.account && self.region == other.region
    }

    fn dns_suffix(&self) -> Option<&'static str> {
        if !self.dual_stack {
            return Some(self.partition.dns_suffix());
        }
        match self.partition {
            Partition::Aws | Partition::UsGov => Some("on.aws"),
            Partition::China => Some("on.amazonwebservices.com.cn"),
            Partition::EuSovereign => Some("on.amazonwebservices.eu"),
            _ => None,
        }
    }
}

/// For a sentence such as "Amazon ECR registry 111111111111 in eu-west-1".
impl fmt::Display for EcrRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Amazon ECR registry {} in {}",
            self.account, self.region
        )
    }
}

/// Whether a registry is Amazon ECR Public, which needs no credential and gives more to those who have one.
///
/// ```
/// use ecs_registry_auth::Registry;
/// use ecs_secret_resolver::is_ecr_public;
///
/// assert!(is_ecr_public(&Registry::from_host("public.ecr.aws")));
/// assert!(!is_ecr_public(&Registry::from_host("public.ecr.aws.example.com")));
/// ```
#[must_use]
pub fn is_ecr_public(registry: &Registry) -> bool {
    PUBLIC_HOSTS.contains(&registry.as_str())
}

fn is_region(region: &str) -> bool {
    region.contains('-')
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(host: &str) -> Option<EcrRegistry> {
        EcrRegistry::from_host(&Registry::from_host(host))
    }

    #[test]
    fn every_kind_of_host_is_read_and_written_back() {
        const FIPS: bool = true;
        const DUAL: bool = true;
        for (host, region, partition, fips, dual_stack) in [
            (
                "dkr.ecr.eu-west-1.amazonaws.com",
                "eu-west-1",
                Partition::Aws,
                !FIPS,
                !DUAL,
            ),
            (
                "dkr.ecr-fips.us-east-1.amazonaws.com",
                "us-east-1",
                Partition::Aws,
                FIPS,
                !DUAL,
            ),
            (
                "dkr-ecr.us-west-2.on.aws",
                "us-west-2",
                Partition::Aws,
                !FIPS,
                DUAL,
            ),
            (
                "dkr-ecr-fips.us-west-2.on.aws",
                "us-west-2",
                Partition::Aws,
                FIPS,
                DUAL,
            ),
            (
                "dkr.ecr.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
                Partition::UsGov,
                !FIPS,
                !DUAL,
            ),
            (
                "dkr-ecr-fips.us-gov-east-1.on.aws",
                "us-gov-east-1",
                Partition::UsGov,
                FIPS,
                DUAL,
            ),
            (
                "dkr.ecr.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
                Partition::China,
                !FIPS,
                !DUAL,
            ),
            (
                "dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
                "cn-north-1",
                Partition::China,
                !FIPS,
                DUAL,
            ),
            (
                "dkr.ecr.us-iso-east-1.c2s.ic.gov",
                "us-iso-east-1",
                Partition::Iso,
                !FIPS,
                !DUAL,
            ),
            (
                "dkr.ecr-fips.us-isob-east-1.sc2s.sgov.gov",
                "us-isob-east-1",
                Partition::IsoB,
                FIPS,
                !DUAL,
            ),
            (
                "dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "eu-isoe-west-1",
                Partition::IsoE,
                !FIPS,
                !DUAL,
            ),
            (
                "dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                "us-isof-south-1",
                Partition::IsoF,
                !FIPS,
                !DUAL,
            ),
            (
                "dkr.ecr.eusc-de-east-1.amazonaws.eu",
                "eusc-de-east-1",
                Partition::EuSovereign,
                !FIPS,
                !DUAL,
            ),
        ] {
            let host = format!("111111111111.{host}");
            let registry = read(&host).unwrap_or_else(|| panic!("{host}"));
            assert_eq!(registry.account, "111111111111", "{host}");
            assert_eq!(registry.region, region, "{host}");
            assert_eq!(registry.partition, partition, "{host}");
            assert_eq!((registry.fips, registry.dual_stack), (fips, dual_stack), "{host}");
            assert_eq!(registry.host(), Some(host));
        }
    }

    #[test]
    fn spelling_of_the_host_does_not_matter() {
        assert_eq!(
            read("111111111111.DKR.ECR.eu-west-1.amazonaws.com:443"),
            read("111111111111.dkr.ecr.eu-west-1.amazonaws.com")
        );
    }

    #[test]
    fn hosts_that_only_look_like_a_registry_get_no_token() {
        for host in [
            "dkr.ecr.eu-west-1.amazonaws.com",
            "11111111111.dkr.ecr.eu-west-1.amazonaws.com",
            "11111111111a.dkr.ecr.eu-west-1.amazonaws.com",
            "x.111111111111.dkr.ecr.eu-west-1.amazonaws.com",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com.example.com",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com:5000",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com.",
            "111111111111.dkr.ecr.eu-west-1.example.com",
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "111111111111.dkr.ecr.cn-north-1.amazonaws.com",
            "111111111111.dkr.ecr.us-iso-east-1.amazonaws.com",
            "111111111111.dkr.ecr.eu-west-1.c2s.ic.gov",
            "111111111111.dkr.ecr.eu-west-1.on.aws",
            "111111111111.dkr-ecr.eu-west-1.amazonaws.com",
            "111111111111.dkr-ecr.us-iso-east-1.on.aws",
            "111111111111.dkr.ecr-public.eu-west-1.amazonaws.com",
            "111111111111.dkr.ecr.amazonaws.com",
            "111111111111.dkr.ecr..amazonaws.com",
            "111111111111.dkr_ecr.eu-west-1.amazonaws.com",
            "111111111111.dkrµecr.eu-west-1.amazonaws.com",
            "111111111111.s3.eu-west-1.amazonaws.com",
            "public.ecr.aws",
            "docker.io",
        ] {
            assert_eq!(read(host), None, "{host}");
        }
    }

    #[test]
    fn only_the_hosts_of_ecr_public_are_public() {
        for (host, public) in [
            ("public.ecr.aws", true),
            ("PUBLIC.ecr.aws:443", true),
            ("ecr-public.aws.com", true),
            ("public.ecr.aws:5000", false),
            ("public.ecr.aws.example.com", false),
            ("xpublic.ecr.aws", false),
            ("ecr.aws", false),
        ] {
            assert_eq!(is_ecr_public(&Registry::from_host(host)), public, "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_host_panics(host in "([0-9]{12}[.])?(dkr[.-]ecr)?.{0,60}") {
            let _ = read(&host);
        }

        #[test]
        fn what_is_recognised_is_written_as_it_was_read(
            account in "[0-9]{11,13}", endpoint in "dkr[.-]ecr(-fips)?", region in "(eu-west|cn-north|us-iso)-[0-9]",
            suffix in "amazonaws.com|amazonaws.com.cn|on.aws|c2s.ic.gov|example.com"
        ) {
            let host = format!("{account}.{endpoint}.{region}.{suffix}");
            if let Some(registry) = read(&host) {
                prop_assert_eq!(registry.host(), Some(host));
            }
        }
    }
}
