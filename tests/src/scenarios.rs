//! Scenarios: functions that take the deployment. The test files name them; nothing is written twice for the cluster.
