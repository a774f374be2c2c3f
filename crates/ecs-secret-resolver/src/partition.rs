//! The separate copies of AWS: each has its own accounts, regions and endpoints.

use std::fmt;

/// An AWS partition. Keys of one partition are unknown in every other.
///
/// Rule: <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>.
///
/// ```
/// use ecs_secret_resolver::Partition;
///
/// assert_eq!(Partition::of_region("us-gov-west-1"), Partition::UsGov);
/// assert_eq!(Partition::from_id("aws-cn"), Some(Partition::China));
/// assert_eq!(Partition::China.dns_suffix(), "amazonaws.com.cn");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Partition {
    /// `aws`: the commercial regions.
    Aws,
    /// `aws-cn`: China.
    China,
    /// `aws-us-gov`: AWS GovCloud (US).
    UsGov,
    /// `aws-iso`.
    Iso,
    /// `aws-iso-b`.
    IsoB,
    /// `aws-iso-e`.
    IsoE,
    /// `aws-iso-f`.
    IsoF,
    /// `aws-eusc`: the European Sovereign Cloud.
    EuSovereign,
}

impl Partition {
    const ALL: [Self; 8] = [
        Self::Aws,
        Self::China,
        Self::UsGov,
        Self::Iso,
        Self::IsoB,
        Self::IsoE,
        Self::IsoF,
        Self::EuSovereign,
    ];

    /// The partition that an ARN names in its second field; `None` when no such partition is known.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|partition| partition.id() == id)
    }

    /// The partition of a region. Regions that are not known by their prefix are commercial ones, as in the AWS
    /// SDKs.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        const PREFIXES: [(&str, Partition); 7] = [
            ("cn-", Partition::China),
            ("us-gov-", Partition::UsGov),
            ("us-iso-", Partition::Iso),
            ("us-isob-", Partition::IsoB),
            ("eu-isoe-", Partition::IsoE),
            ("us-isof-", Partition::IsoF),
            ("eusc-", Partition::EuSovereign),
        ];
        PREFIXES
            .into_iter()
            .find(|(prefix, _)| region.starts_with(prefix))
            .map_or(Self::Aws, |(_, partition)| partition)
    }

    /// The name that ARNs use.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::UsGov => "aws-us-gov",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
            Self::EuSovereign => "aws-eusc",
        }
    }

    /// What the host names of its services end with.
    #[must_use]
    pub fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::UsGov => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::Iso => "c2s.ic.gov",
            Self::IsoB => "sc2s.sgov.gov",
            Self::IsoE => "cloud.adc-e.uk",
            Self::IsoF => "csp.hci.ic.gov",
            Self::EuSovereign => "amazonaws.eu",
        }
    }

    /// What the host names of its dual-stack (IPv4 and IPv6) endpoints end with.
    #[must_use]
    pub fn dual_stack_dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::UsGov => "api.aws",
            Self::China => "api.amazonwebservices.com.cn",
            Self::Iso => "api.aws.ic.gov",
            Self::IsoB => "api.aws.scloud",
            Self::IsoE => "api.cloud-aws.adc-e.uk",
            Self::IsoF => "api.aws.hci.ic.gov",
            Self::EuSovereign => "api.amazonwebservices.eu",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::Partition;

    #[test]
    fn every_partition_is_found_by_a_region_of_its_own() {
        for (region, id) in [
            ("eu-west-1", "aws"),
            ("mx-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-east-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Partition::of_region(region).id(), id, "{region}");
            assert_eq!(Partition::from_id(id), Some(Partition::of_region(region)));
        }
        assert_eq!(Partition::from_id("AWS"), None);
    }
}
