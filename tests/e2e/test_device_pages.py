"""The pages of the device grant in Chromium: clean for axe, no wider than the screen, in both languages, light, dark and on a phone."""
import pytest
from selenium.webdriver.common.by import By

from chrome import find, look, open_chrome, overflows, violations, wait_text
from receiver import Receiver
from test_device import Device, new_device_client
from test_playground import fill_in
from visitor import PASSWORD, new_user

SCREENS = {
    "light": ({}, "en", ["Connect a device", "does your device show", "Connect Wohnzimmer", "is connected", "Not allowed", "no longer good"]),
    "dark": ({"dark": True}, "de", ["Ein Gerät verbinden", "zeigt ihr gerät", "Wohnzimmer", "ist verbunden", "Nicht erlaubt", "gilt nicht mehr"]),
    "phone": ({"width": 360, "height": 740}, "de", ["Ein Gerät verbinden", "zeigt ihr gerät", "Wohnzimmer", "ist verbunden", "Nicht erlaubt", "gilt nicht mehr"]),
}


@pytest.fixture(scope="module")
def client(partita):
    return new_device_client(partita, "--client-uri", "https://tv.example/", "--policy-uri", "https://tv.example/privacy", name="Wohnzimmer-Fernseher von Beispiel & Söhne")


def check(driver, name):
    find(driver, "main")
    look(driver, "device-" + name)
    assert violations(driver) == [] and not overflows(driver), name
    return driver.find_element(By.CSS_SELECTOR, "main").text


@pytest.mark.parametrize("screen", SCREENS)
def test_all_pages(partita, client, screen):
    options, language, words = SCREENS[screen]
    device, other = Device(partita, client, "openid profile email offline_access"), Device(partita, client)
    driver = open_chrome(**options)
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
        driver.get(device.answer["verification_uri"])
        assert words[0] in check(driver, f"{screen}-empty")
        field = find(driver, "#user_code")
        assert field == driver.switch_to.active_element
        field.send_keys("zzzz zzzz")
        field.submit()
        find(driver, "#error")
        check(driver, f"{screen}-wrong")
        driver.get(device.answer["verification_uri_complete"])
        assert words[1] in check(driver, f"{screen}-confirm").lower()
        find(driver, "button.primary").click()
        find(driver, "#password")
        check(driver, f"{screen}-sign-in")
        fill_in(driver, new_user(partita), PASSWORD)
        wait_text(driver, "main", device.user_code)
        assert words[2] in check(driver, f"{screen}-approve") and client["name"] in driver.find_element(By.CSS_SELECTOR, "h1").text
        find(driver, "button[value=allow]").click()
        wait_text(driver, "h1", words[3])
        check(driver, f"{screen}-allowed")
        assert "access_token" in device.poll()
        driver.back()
        find(driver, "button[value=allow]").click()
        wait_text(driver, "h1", words[5])
        check(driver, f"{screen}-gone")
        driver.get(other.answer["verification_uri_complete"])
        find(driver, "button.primary").click()
        wait_text(driver, "main", other.user_code)
        find(driver, "button[value=deny]").click()
        wait_text(driver, "h1", words[4])
        check(driver, f"{screen}-denied")
        assert other.poll() == "access_denied"
        assert [line for line in driver.get_log("browser") if "Content Security Policy" in line["message"]] == []
    finally:
        driver.quit()


def test_without_javascript(partita, client):
    device, driver = Device(partita, client), open_chrome(scripts=False)
    try:
        driver.get(device.answer["verification_uri_complete"])
        find(driver, "button.primary").click()
        fill_in(driver, new_user(partita), PASSWORD)
        find(driver, "button[value=allow]").click()
        wait_text(driver, "h1", "is connected")
        assert "access_token" in device.poll()
    finally:
        driver.quit()


def test_the_qr_code_is_a_picture(partita, client):
    """A page of the device itself, on its own origin, shows it by its address."""
    device, driver = Device(partita, client), open_chrome()
    picture = f"{partita.issuer}/device/qr?user_code={device.user_code}"
    try:
        with Receiver("127.0.0.1") as site:
            site.pages["/tv"] = f'<!doctype html><title>TV</title><img width="400" height="400" src="{picture}">'
            driver.get(site.origin + "/tv")
            image = find(driver, "img")
            assert driver.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 0", image)
            look(driver, "device-qr")
        driver.get(picture)
        assert driver.execute_script("return document.documentElement.tagName") == "svg"
        assert [line for line in driver.get_log("browser") if "favicon" not in line["message"]] == []
    finally:
        driver.quit()
