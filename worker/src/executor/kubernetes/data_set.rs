//! Data sets: directories that somebody else keeps and every run can read below `data/NAME`.

use k8s_openapi::api::core::v1::{
    ImageVolumeSource, NFSVolumeSource, PersistentVolumeClaimVolumeSource, Volume, VolumeMount,
};

use super::settings::is_name;

/// A directory by name. Mounted read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// What it is called below `data/`: lower-case letters, digits and hyphens.
    pub name: String,
    /// Where it lies.
    pub source: DataSource,
}

/// Where a data set lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// A persistent volume claim of the runs' namespace that several pods may read at once.
    Claim(String),
    /// A directory of an NFS server.
    Nfs {
        /// The server's name or address.
        server: String,
        /// The exported directory.
        path: String,
    },
    /// The files of a container image (Kubernetes 1.33 and newer).
    Image(String),
}

impl DataSet {
    /// Reads `NAME=claim:CLAIM`, `NAME=nfs:SERVER:/PATH` or `NAME=image:REFERENCE`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(name, source)| Some((name, source.split_once(':')?)));
        let source = match parts {
            Some((_, ("claim", claim))) => Some(DataSource::Claim(claim.to_owned())),
            Some((_, ("image", reference))) => Some(DataSource::Image(reference.to_owned())),
            Some((_, ("nfs", place))) => place
                .split_once(":/")
                .map(|(server, path)| DataSource::Nfs { server: server.to_owned(), path: format!("/{path}") }),
            _ => None,
        };
        let (Some((name, _)), Some(source)) = (parts, source) else {
            return Err(format!(
                "The data set {text:?} is none of NAME=claim:CLAIM, NAME=nfs:SERVER:/PATH and NAME=image:REFERENCE."
            ));
        };
        let set = Self { name: name.to_owned(), source };
        set.check().map(|()| set)
    }

    /// Checks names.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if !is_name(&self.name, 50) || self.name.contains('.') {
            return Err(format!(
                "The data set's name {:?} is not at most 50 lower-case letters, digits and hyphens.",
                self.name
            ));
        }
        let fine = match &self.source {
            DataSource::Claim(claim) => is_name(claim, 253),
            DataSource::Nfs { server, path } => !server.is_empty() && path.starts_with('/'),
            DataSource::Image(reference) => !reference.is_empty() && !reference.contains(char::is_whitespace),
        };
        match fine {
            true => Ok(()),
            false => Err(format!("The data set {:?} does not say where it lies.", self.name)),
        }
    }

    fn volume_name(&self) -> String {
        format!("data-{}", self.name)
    }

    pub(super) fn volume(&self) -> Volume {
        let mut volume = Volume { name: self.volume_name(), ..Volume::default() };
        match &self.source {
            DataSource::Claim(claim) => {
                volume.persistent_volume_claim =
                    Some(PersistentVolumeClaimVolumeSource { claim_name: claim.clone(), read_only: Some(true) });
            }
            DataSource::Nfs { server, path } => {
                volume.nfs =
                    Some(NFSVolumeSource { server: server.clone(), path: path.clone(), read_only: Some(true) });
            }
            DataSource::Image(reference) => {
                volume.image = Some(ImageVolumeSource { reference: Some(reference.clone()), pull_policy: None });
            }
        }
        volume
    }

    /// Below `root`; the supervisor links it into the work directory.
    pub(super) fn mount(&self, root: &str) -> VolumeMount {
        VolumeMount {
            name: self.volume_name(),
            mount_path: format!("{root}/{}", self.name),
            read_only: Some(true),
            ..VolumeMount::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_source_can_be_written() {
        let parse = |text: &str| DataSet::parse(text).map(|set| (set.name, set.source));
        assert_eq!(parse("prices=claim:prices-2026"), Ok(("prices".into(), DataSource::Claim("prices-2026".into()))));
        let nfs = DataSource::Nfs { server: "files.example".into(), path: "/exports/a".into() };
        assert_eq!(parse("maps=nfs:files.example:/exports/a"), Ok(("maps".into(), nfs)));
        let image = DataSource::Image("registry.example/data:1".into());
        assert_eq!(parse("words=image:registry.example/data:1"), Ok(("words".into(), image)));
    }

    #[test]
    fn what_is_none_is_refused_with_a_sentence() {
        for text in ["", "a", "a=b", "a=claim:", "A=claim:b", "../x=claim:b", "a=nfs:server", "a=host:/etc"] {
            let sentence = DataSet::parse(text).unwrap_err();
            assert!(sentence.ends_with('.'), "{text:?}: {sentence}");
        }
    }
}
