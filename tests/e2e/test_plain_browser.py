"""The provider's pages in a browser that lacks something."""
from chrome import find, look, open_chrome, wait_text
from test_playground import fill_in


def test_without_javascript(partita):
    driver = open_chrome(scripts=False)
    try:
        driver.get(partita.issuer + "/account")
        fill_in(driver, partita.info["user"]["username"], partita.info["user"]["password"])
        find(driver, "main")
        assert driver.current_url.startswith(partita.issuer + "/account")
    finally:
        driver.quit()


def test_cookies_switched_off(partita):
    driver = open_chrome(cookies=False)
    try:
        driver.get(partita.issuer + "/account")
        fill_in(driver, partita.info["user"]["username"], partita.info["user"]["password"])
        wait_text(driver, "main", "ookie")
        look(driver, "cookies-off")
    finally:
        driver.quit()
