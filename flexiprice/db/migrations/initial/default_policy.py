"""The default policy as it was at the initial migration, frozen: later defaults come by later versions."""

DEFAULT_POLICY: dict[str, object] = {
    "max_discount": "0.70",
    "floor_fraction": "0.25",
    "rounding_step": "0.01",
    "min_change": "0.05",
    "price_only_down": True,
    "rules": [
        {"name": "two days left", "days_to_expiry": {"max": 2}, "quantity": {}, "discount": "0.25"},
        {"name": "last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.50"},
        {"name": "overstock", "days_to_expiry": {"max": 3}, "quantity": {"min": 50}, "discount": "0.40"},
        {
            "name": "overstock on the last day",
            "days_to_expiry": {"max": 0},
            "quantity": {"min": 50},
            "discount": "0.60",
        },
    ],
    "categories": {
        "bakery": {
            "rules": [
                {
                    "name": "bakery still fresh",
                    "days_to_expiry": {"min": 2, "max": 3},
                    "quantity": {},
                    "discount": "0",
                },
                {
                    "name": "bakery one day left",
                    "days_to_expiry": {"max": 1},
                    "quantity": {},
                    "discount": "0.25",
                },
                {"name": "bakery last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.50"},
                {
                    "name": "bakery overstock",
                    "days_to_expiry": {"max": 1},
                    "quantity": {"min": 50},
                    "discount": "0.40",
                },
                {
                    "name": "bakery overstock on the last day",
                    "days_to_expiry": {"max": 0},
                    "quantity": {"min": 50},
                    "discount": "0.70",
                },
            ]
        },
        "meat": {
            "rules": [
                {
                    "name": "meat three days left",
                    "days_to_expiry": {"max": 3},
                    "quantity": {},
                    "discount": "0.15",
                },
                {
                    "name": "meat two days left",
                    "days_to_expiry": {"max": 2},
                    "quantity": {},
                    "discount": "0.25",
                },
                {"name": "meat last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.40"},
                {
                    "name": "meat overstock",
                    "days_to_expiry": {"max": 2},
                    "quantity": {"min": 30},
                    "discount": "0.35",
                },
                {
                    "name": "meat overstock on the last day",
                    "days_to_expiry": {"max": 0},
                    "quantity": {"min": 30},
                    "discount": "0.50",
                },
            ]
        },
        "fish": {
            "rules": [
                {
                    "name": "fish two days left",
                    "days_to_expiry": {"max": 2},
                    "quantity": {},
                    "discount": "0.30",
                },
                {"name": "fish last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.50"},
                {
                    "name": "fish overstock",
                    "days_to_expiry": {"max": 2},
                    "quantity": {"min": 20},
                    "discount": "0.40",
                },
                {
                    "name": "fish overstock on the last day",
                    "days_to_expiry": {"max": 0},
                    "quantity": {"min": 20},
                    "discount": "0.60",
                },
            ]
        },
        "prepared meals": {
            "rules": [
                {
                    "name": "prepared meal not due yet",
                    "days_to_expiry": {"min": 2, "max": 3},
                    "quantity": {},
                    "discount": "0",
                },
                {
                    "name": "prepared meal one day left",
                    "days_to_expiry": {"max": 1},
                    "quantity": {},
                    "discount": "0.25",
                },
                {
                    "name": "prepared meal last day",
                    "days_to_expiry": {"max": 0},
                    "quantity": {},
                    "discount": "0.50",
                },
                {
                    "name": "prepared meal overstock",
                    "days_to_expiry": {"max": 1},
                    "quantity": {"min": 30},
                    "discount": "0.40",
                },
            ]
        },
        "eggs": {
            "rules": [
                {
                    "name": "eggs five days left",
                    "days_to_expiry": {"max": 5},
                    "quantity": {},
                    "discount": "0.20",
                },
                {
                    "name": "eggs two days left",
                    "days_to_expiry": {"max": 2},
                    "quantity": {},
                    "discount": "0.35",
                },
                {"name": "eggs last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.50"},
            ]
        },
        "pantry": {
            "rules": [
                {
                    "name": "pantry two weeks left",
                    "days_to_expiry": {"max": 14},
                    "quantity": {},
                    "discount": "0.10",
                },
                {
                    "name": "pantry one week left",
                    "days_to_expiry": {"max": 7},
                    "quantity": {},
                    "discount": "0.25",
                },
                {
                    "name": "pantry last two days",
                    "days_to_expiry": {"max": 2},
                    "quantity": {},
                    "discount": "0.40",
                },
                {"name": "pantry last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.50"},
                {
                    "name": "pantry overstock",
                    "days_to_expiry": {"max": 30},
                    "quantity": {"min": 100},
                    "discount": "0.15",
                },
            ]
        },
        "beverages": {
            "rules": [
                {
                    "name": "beverages two weeks left",
                    "days_to_expiry": {"max": 14},
                    "quantity": {},
                    "discount": "0.10",
                },
                {
                    "name": "beverages one week left",
                    "days_to_expiry": {"max": 7},
                    "quantity": {},
                    "discount": "0.25",
                },
                {
                    "name": "beverages last two days",
                    "days_to_expiry": {"max": 2},
                    "quantity": {},
                    "discount": "0.40",
                },
                {
                    "name": "beverages last day",
                    "days_to_expiry": {"max": 0},
                    "quantity": {},
                    "discount": "0.50",
                },
                {
                    "name": "beverages overstock",
                    "days_to_expiry": {"max": 30},
                    "quantity": {"min": 100},
                    "discount": "0.15",
                },
            ]
        },
        "frozen": {
            "rules": [
                {
                    "name": "frozen one week left",
                    "days_to_expiry": {"max": 7},
                    "quantity": {},
                    "discount": "0.20",
                },
                {
                    "name": "frozen last two days",
                    "days_to_expiry": {"max": 2},
                    "quantity": {},
                    "discount": "0.40",
                },
                {"name": "frozen last day", "days_to_expiry": {"max": 0}, "quantity": {}, "discount": "0.50"},
            ]
        },
    },
}
