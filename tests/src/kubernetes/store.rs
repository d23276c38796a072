//! The objects and their history, as etcd and the watch cache would have them: one rising resource version for everything.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::{Value, json};

use super::resources::Resource;

/// Resource version at the start, so that version 1 is long gone as in a cluster that has lived.
const FIRST_REVISION: u64 = 2_000;
/// Changes kept for watches; older ones are answered with 410.
const HISTORY: usize = 20_000;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One change, as a watch sees it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) plural: &'static str,
    pub(super) kind: ChangeKind,
    pub(super) object: Arc<Value>,
    /// The object before, for watches whose selector it has entered or left.
    pub(super) before: Option<Arc<Value>>,
}

type Key = (&'static str, String, String);

/// All objects and the latest changes.
#[derive(Debug)]
pub(super) struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Change>,
    revision: u64,
    /// Watches from before this version get 410.
    compacted: u64,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            revision: FIRST_REVISION,
            compacted: FIRST_REVISION - 73,
        }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Forgets the history: every watch from an earlier version is answered with 410.
    pub(super) fn compact(&mut self) {
        self.revision += 1;
        self.compacted = self.revision;
        self.history.clear();
    }

    pub(super) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&(resource.plural, namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All objects of a kind, by namespace and name; `namespace` empty means all.
    pub(super) fn list(&self, resource: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        let from = (resource.plural, namespace.to_owned(), String::new());
        self.objects
            .range(from..)
            .take_while(|((plural, ..), _)| *plural == resource.plural)
            .filter(|((_, space, _), _)| namespace.is_empty() || space == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Adds an object, with uid, version and creation time. The caller has checked that the name is free.
    pub(super) fn create(&mut self, resource: &Resource, now: &str, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["kind"] = json!(resource.kind);
        object["apiVersion"] = json!(resource.api_version());
        let meta = &mut object["metadata"];
        meta["uid"] = json!(new_uid());
        meta["resourceVersion"] = json!(self.revision.to_string());
        meta["creationTimestamp"] = json!(now);
        let object = Arc::new(object);
        self.put(resource, ChangeKind::Added, object.clone(), None);
        object
    }

    /// Changes an object; no change, no new version. `None` when it is not there.
    pub(super) fn update(
        &mut self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Option<Arc<Value>> {
        let before = self.get(resource, namespace, name)?;
        let mut object = Value::clone(&before);
        change(&mut object);
        if object == *before {
            return Some(before);
        }
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = Arc::new(object);
        self.put(resource, ChangeKind::Modified, object.clone(), Some(before));
        Some(object)
    }

    /// Removes an object; its last state carries the version of the removal.
    pub(super) fn remove(&mut self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let before = self.objects.remove(&(resource.plural, namespace.to_owned(), name.to_owned()))?;
        self.revision += 1;
        let mut object = Value::clone(&before);
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let object = Arc::new(object);
        self.record(resource, ChangeKind::Deleted, object.clone(), Some(before));
        Some(object)
    }

    /// Changes after `revision` of one kind, oldest first.
    pub(super) fn since(&self, resource: &Resource, revision: u64) -> Vec<Change> {
        let from = self.history.partition_point(|change| change.revision <= revision);
        self.history.range(from..).filter(|change| change.plural == resource.plural).cloned().collect()
    }

    fn put(&mut self, resource: &Resource, kind: ChangeKind, object: Arc<Value>, before: Option<Arc<Value>>) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let space = if resource.namespaced { text("/metadata/namespace") } else { String::new() };
        self.objects.insert((resource.plural, space, text("/metadata/name")), object.clone());
        self.record(resource, kind, object, before);
    }

    fn record(&mut self, resource: &Resource, kind: ChangeKind, object: Arc<Value>, before: Option<Arc<Value>>) {
        self.history.push_back(Change { revision: self.revision, plural: resource.plural, kind, object, before });
        if self.history.len() > HISTORY
            && let Some(gone) = self.history.pop_front()
        {
            self.compacted = gone.revision;
        }
    }
}

/// A random uid in the usual form.
pub(super) fn new_uid() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
}
