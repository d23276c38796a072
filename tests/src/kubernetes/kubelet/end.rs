//! How the kubelet ends a pod that does not end by itself (deleted, over its deadline, evicted), and the end of its object.

use std::time::Duration;

use super::{Interrupt, Kubelet, RELIST_MS};
use crate::kubernetes::{garbage::end_grace, pod_model::State};

/// From the phase of a deleted pod to its object's end.
const LAST_STATUS_MS: u64 = 300;

impl Kubelet {
    /// What ends the pod otherwise, and the end of its object.
    pub(super) async fn end(&mut self, interrupt: Interrupt) {
        if let Some(container) = self.starting.take() {
            container.kill();
        }
        match interrupt {
            Interrupt::Gone => {
                self.at.awake().await;
                self.stop(0).await;
            }
            Interrupt::Deleted(grace) => self.end_deleted(grace).await,
            Interrupt::Deadline => {
                let message = "Pod was active on the node longer than the specified deadline";
                self.at.event(None, "Normal", "DeadlineExceeded", message);
                self.fail("DeadlineExceeded", message, true).await;
                Box::pin(self.end_over()).await;
            }
            Interrupt::Evicted(message) => {
                self.at.event(None, "Warning", "Evicted", &message);
                for (_, container) in &self.running {
                    container.log.lose();
                }
                self.fail("Evicted", &message, false).await;
                Box::pin(self.end_over()).await;
            }
        }
    }

    /// Ends what runs, and the pod with it, for a reason of the kubelet's own.
    async fn fail(&mut self, reason: &str, message: &str, shown_at_once: bool) {
        self.model.failing = true;
        if shown_at_once {
            self.write_status().await;
            self.pause(LAST_STATUS_MS).await;
        }
        let grace = self.at.pod().and_then(|pod| pod["spec"]["terminationGracePeriodSeconds"].as_u64()).unwrap_or(30);
        self.stop(grace).await;
        self.pause(LAST_STATUS_MS).await;
        self.note_ends();
        self.model.reason = reason.to_owned();
        self.model.message = message.to_owned();
        self.model.phase = "Failed";
        self.model.sandbox = false;
        self.write_status().await;
    }

    async fn end_over(&mut self) {
        match self.at.interrupted(None, false).await {
            Interrupt::Deleted(grace) => self.end_deleted(grace).await,
            _ => self.stop(0).await,
        }
    }

    async fn end_deleted(&mut self, grace: u64) {
        let over = matches!(self.model.phase, "Succeeded" | "Failed");
        if !over {
            self.model.generation += 1;
            let never_ran = self.model.containers.iter().all(|container| container.id.is_none());
            if never_ran {
                for container in &mut self.model.containers {
                    container.state = State::Waiting { reason: "ContainerCreating".to_owned(), message: String::new() };
                }
            }
            self.write_status().await;
            self.stop(grace).await;
            self.pause(LAST_STATUS_MS).await;
            self.note_ends();
            if never_ran {
                self.model.sandbox = false;
                self.write_status().await;
                self.pause(RELIST_MS).await;
            }
            for container in self.model.containers.iter_mut().filter(|container| container.code().is_none()) {
                container.state = State::Terminated {
                    code: 137,
                    reason: "ContainerStatusUnknown".to_owned(),
                    message: "The container could not be located when the pod was terminated".to_owned(),
                    started: None,
                    finished: None,
                };
            }
            self.model.phase = if self.model.succeeded() { "Succeeded" } else { "Failed" };
            self.model.sandbox = false;
            self.write_status().await;
            self.pause(LAST_STATUS_MS).await;
        }
        end_grace(&self.at.cluster, &self.at.namespace, &self.at.name);
        // A finalizer may hold the object; the containers are gone in any case.
        let mut revisions = self.at.cluster.revisions();
        while self.at.pod().is_some() {
            if revisions.changed().await.is_err() {
                return;
            }
        }
    }

    /// TERM, the grace, KILL.
    async fn stop(&mut self, grace: u64) {
        let running: Vec<_> =
            self.running.iter().filter(|(_, container)| container.exit().is_none()).cloned().collect();
        for (at, container) in &running {
            let init = self.model.containers.get(*at).is_some_and(|one| one.init);
            self.at.event(
                Some((&container.name, init)),
                "Normal",
                "Killing",
                &format!("Stopping container {}", container.name),
            );
            container.terminate();
        }
        let all = futures_util::future::join_all(running.iter().map(|(_, container)| container.ended()));
        if tokio::time::timeout(Duration::from_secs(grace), all).await.is_err() {
            for (_, container) in &running {
                container.kill();
                container.ended().await;
            }
        }
    }
}
