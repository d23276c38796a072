//! Each service can be frozen, killed and started again at the same address, and ends with its handle.

use coderoom_services::{Ceph, Postgres, RabbitMq, Redis};

macro_rules! faults {
    ($($name:ident: $service:ident,)*) => {
        $(#[test]
        fn $name() {
            let mut service = $service::start();
            let url = service.url();
            assert!(service.answers(), "after the start");
            service.pause();
            assert!(!service.answers(), "frozen");
            service.resume();
            assert!(service.answers(), "goes on");
            service.kill();
            assert!(!service.answers(), "killed");
            service.restart();
            assert!(service.answers(), "started again");
            service.pause();
            service.stop();
            assert!(!service.answers(), "stopped, though frozen");
            service.restart();
            assert_eq!((service.url(), service.answers()), (url, true));
        })*
    };
}

faults! {
    postgres_can_be_hurt: Postgres,
    redis_can_be_hurt: Redis,
    rabbitmq_can_be_hurt: RabbitMq,
    s3_store_can_be_hurt: Ceph,
}
